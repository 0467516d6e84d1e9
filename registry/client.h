#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"
#include "registry/auth_file.h"
#include "registry/authorizer.h"
#include "registry/hosts.h"
#include "registry/http.h"
#include "registry/keychain.h"
#include "registry/manifest.h"
#include "registry/reference.h"
#include "registry/retry.h"

namespace manyarch::registry {

struct ClientOptions {
  Hosts hosts;
  AuthFile auth;
  // Shared with others who ask the same helpers; null: one of its own, over `auth`.
  std::shared_ptr<Keychain> keychain = nullptr;
  Backoff backoff{absl::Milliseconds(200), absl::Seconds(20), 2.0};
  RetryBudget budget{absl::Minutes(3)};  // Per operation.
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration request_timeout = absl::Seconds(60);
};

// What bounds one call, beside the client's own budget.
struct CallOptions {
  absl::Time deadline = absl::InfiniteFuture();
};

struct FetchedManifest {
  std::string bytes;
  Digest digest;           // Of the bytes.
  std::string media_type;  // Of the parsed body.
  Manifest manifest;
};

// Bytes of a blob that have arrived; falls back where an upload had to begin again.
using BlobProgress = std::function<void(int64_t bytes)>;

// The distribution API, as far as assembling and copying images needs it. What fails for a moment
// is tried again within the budget; a PUT only after a HEAD has shown that it did not land. Codes:
// UNAUTHENTICATED, PERMISSION_DENIED and NOT_FOUND as the registry says; UNAVAILABLE: the budget is
// spent on the network or on answers that may pass; CANCELLED: stopped; INVALID_ARGUMENT and
// FAILED_PRECONDITION: trying again will not help. Messages quote the registry. Thread-safe.
// Transport, waiter and `stop` (may be null) must outlive it; once `stop` is notified, every call
// ends within about a second.
class RegistryClient {
 public:
  RegistryClient(ClientOptions options, HttpTransport* transport, Waiter* waiter,
                 const absl::Notification* stop);

  // Whether the registry answers and takes the credentials.
  absl::Status Ping(const std::string& registry, const CallOptions& call = {});
  // By digest where the reference has one (what comes must have it), else by tag.
  absl::StatusOr<FetchedManifest> GetManifest(const Reference& reference,
                                              const CallOptions& call = {});
  // The digest the reference points to; nullopt where there is nothing.
  absl::StatusOr<std::optional<Digest>> HeadManifest(const Reference& reference,
                                                     const CallOptions& call = {});
  // Writes it under the reference's digest (which must be that of the bytes), else under its tag.
  absl::Status PutManifest(const Reference& reference, const std::string& bytes,
                           const std::string& media_type, const CallOptions& call = {});
  // A small blob: a config. Size and digest are checked; larger than 4 MiB is refused.
  absl::StatusOr<std::string> GetBlob(const Reference& repository, const Descriptor& blob,
                                      const CallOptions& call = {});
  // Whether the repository has the blob.
  absl::StatusOr<bool> HeadBlob(const Reference& repository, const Descriptor& blob,
                                const CallOptions& call = {});
  // Writes a small blob; does nothing where it is there.
  absl::Status PutBlob(const Reference& repository, const std::string& bytes,
                       const CallOptions& call = {});
  // Gives the repository a blob that `from`, of the same registry, has, without moving it. False:
  // the registry would not, and it has to be copied.
  absl::StatusOr<bool> MountBlob(const Reference& repository, const Reference& from,
                                 const Digest& digest, const CallOptions& call = {});
  // Makes `to` have a blob that `from` has: does nothing where it is there, mounts it within one
  // registry, else streams it from one to the other, some 4 MiB at a time in memory. A transfer
  // that was cut goes on where it was; the retry budget begins anew with every piece that arrives.
  // What arrived has the digest and size of `blob`.
  absl::Status CopyBlob(const Reference& from, const Descriptor& blob, const Reference& to,
                        const BlobProgress& on_progress = nullptr, const CallOptions& call = {});
  // The tags of the repository, as the registry orders them. What cannot be a tag is left out.
  absl::StatusOr<std::vector<std::string>> ListTags(const Reference& repository,
                                                    const CallOptions& call = {});
  // Whether pushing is allowed: opens an upload and gives it up again.
  absl::Status CheckPush(const Reference& repository, const CallOptions& call = {});
  // Deletes what the reference names. Absent already is fine.
  absl::Status DeleteManifest(const Reference& reference, const CallOptions& call = {});

 private:
  friend class BlobCopy;
  struct Upload {
    bool mounted = false;  // The blob is there: there is nothing to upload.
    std::string url;       // Where its bytes go.
  };

  Request MakeRequest(const std::string& method, std::string url) const;
  std::string Url(const Reference& reference, absl::string_view kind, absl::string_view name) const;
  Retrier MakeRetrier(const CallOptions& call) const;
  // Sends until the answer is one that will not pass: returns it, whatever it says.
  absl::StatusOr<Response> Exchange(const std::string& what, Request request, const Scope& scope,
                                    Retrier& retrier);
  // Begins an upload, or mounts from `mount_from` (a repository of this registry) where it is not
  // empty.
  absl::StatusOr<Upload> OpenUpload(const std::string& what, const Reference& repository,
                                    const std::string& mount_from, const Digest& digest,
                                    Retrier& retrier);
  // Best effort: registries drop uploads that are left alone.
  void GiveUpUpload(const Reference& repository, const std::string& url, const Retrier& retrier);
  // The address that an answer gives for the next request of an upload.
  absl::StatusOr<std::string> NextUrl(const std::string& url, const Response& response) const;
  // Whether a HEAD of a manifest's URL, sent once, shows that digest.
  bool Shows(const std::string& url, const Digest& digest, const Scope& scope,
             const Retrier& retrier);
  // The error for an answer that was not hoped for.
  absl::Status Refusal(const std::string& what, const Response& response, const Scope& scope) const;
  absl::Status GiveUp(const std::string& what, const absl::Status& last, const absl::Status& why,
                      const Retrier& retrier) const;

  const ClientOptions options_;
  Waiter* const waiter_;
  const absl::Notification* const stop_;
  Authorizer authorizer_;
};

}  // namespace manyarch::registry
