// A registry in memory that keeps to the letter of the distribution API and of one registry's own
// rules, and can fail in every way that networks and registries do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "registry/auth_file.h"
#include "tests/support/faults.h"
#include "tests/support/http_server.h"
#include "tests/support/registry_contents.h"
#include "tests/support/registry_rules.h"
#include "tests/support/test_image.h"
#include "tests/support/token_server.h"

namespace manyarch::testing {

struct StrictRegistryOptions {
  RegistryRules rules;
  // At most one of these two; neither: anybody may do anything.
  std::optional<registry::Credentials> basic;
  TokenServer* tokens = nullptr;  // Must outlive the registry.
  std::string realm;              // Where tokens are; empty: the token server's own address. May be
                                  // relative: "/token".
  FaultOptions faults;
  std::function<absl::Time()> clock = absl::Now;
};

// One request, and what was answered.
struct RecordedRequest {
  HttpRequest request;
  absl::Time time;
  Fault fault = Fault::kNone;
  int status = 0;
};

// Thread-safe.
class StrictRegistry {
 public:
  explicit StrictRegistry(StrictRegistryOptions options = {});
  ~StrictRegistry();

  // "127.0.0.1:PORT"
  std::string host() const { return server_->host(); }
  // Where it redirects to for blobs, if its rules say so.
  std::string storage_host() const { return storage_->host(); }

  // Past HTTP, rules and faults.
  void CreateRepository(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(const std::string& repository, const TestImage& image) ABSL_LOCKS_EXCLUDED(mutex_);
  // By tag or digest; empty where there is none.
  std::string BytesOf(const std::string& repository, const std::string& name) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::map<std::string, std::string> Tags(const std::string& repository) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Empty where there is none.
  std::string BlobOf(const std::string& repository, const Digest& digest) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  size_t Uploads(const std::string& repository) const ABSL_LOCKS_EXCLUDED(mutex_);

  std::vector<RecordedRequest> Requests() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Of this method, with this in their path.
  int Count(const std::string& method, const std::string& part = "") const;
  void Forget() ABSL_LOCKS_EXCLUDED(mutex_);
  std::map<Fault, int> Faults() const { return dice_.Rolled(); }

 private:
  struct Target;  // What a path names.

  HttpAnswer Answer(const HttpRequest& request) ABSL_LOCKS_EXCLUDED(mutex_);
  HttpAnswer Handle(const HttpRequest& request, Fault fault) ABSL_LOCKS_EXCLUDED(mutex_);
  // Nullopt: go on.
  std::optional<HttpAnswer> CheckRights(const HttpRequest& request, const Target& target) const;
  std::optional<HttpAnswer> CheckRate(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  HttpAnswer OnManifest(const HttpRequest& request, const Target& target)
      ABSL_LOCKS_EXCLUDED(mutex_);
  HttpAnswer ReadManifest(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer WriteManifest(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer DeleteManifest(const Target& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer ListTags(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer OnBlob(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer OpenUpload(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // `cut`: only half of the body has come.
  HttpAnswer OnUpload(const HttpRequest& request, const Target& target, bool cut)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer FinishUpload(const HttpRequest& request, const Target& target)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer DescribeUpload(int status, const Target& target) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  HttpAnswer FromStorage(const HttpRequest& request) const ABSL_LOCKS_EXCLUDED(mutex_);

  const StrictRegistryOptions options_;
  const RegistryRules& rules_ = options_.rules;
  FaultDice dice_;
  mutable absl::Mutex mutex_;
  std::map<std::string, StoredRepository> repositories_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> being_written_ ABSL_GUARDED_BY(mutex_);  // "repository@digest"
  std::vector<absl::Time> recent_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Time> recent_puts_ ABSL_GUARDED_BY(mutex_);
  int manifest_gets_ ABSL_GUARDED_BY(mutex_) = 0;
  int next_upload_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<RecordedRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpServer> storage_;  // Where blobs are, for registries that redirect.
  std::unique_ptr<HttpServer> server_;
};

}  // namespace manyarch::testing
