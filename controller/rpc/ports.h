// What the services need of the rest of the controller, as small interfaces that the composition
// root fills in.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/base/digest.h"
#include "controller/core/effects.h"
#include "controller/core/events.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/types.pb.h"
#include "manyarch/v1/worker.pb.h"

namespace manyarch::controller::rpc {

// Of the worker protocol that this controller speaks.
inline constexpr int kProtocolVersion = 1;

// All ports are thread-safe.

class EventPort {
 public:
  virtual ~EventPort() = default;
  virtual void Post(core::Event event) = 0;
};

// Events that are answered.
class CallPort {
 public:
  virtual ~CallPort() = default;
  struct Reply {
    absl::Status status;
    std::string job_id;
    bool existed = false;
    std::vector<core::BuildExplanation> builds;  // Of Explain.
  };
  // Posts `event` under a fresh call id and waits for its answer. DEADLINE_EXCEEDED: the outcome is
  // unknown, and asking again is safe.
  virtual Reply Call(core::Submit event, absl::Time deadline) = 0;
  virtual Reply Call(core::Cancel event, absl::Time deadline) = 0;
  virtual Reply Call(core::Explain event, absl::Time deadline) = 0;
  // The reply's job_id is the worker's id.
  virtual Reply Call(core::SetAdmission event, absl::Time deadline) = 0;
};

class JobPort {
 public:
  virtual ~JobPort() = default;
  // By id or unique prefix; NOT_FOUND, INVALID_ARGUMENT when ambiguous.
  virtual absl::StatusOr<v1::Job> Get(absl::string_view id_or_prefix) = 0;
  // The job, by its full id, once its revision differs from `seen`; nothing at the deadline.
  virtual absl::StatusOr<std::optional<v1::Job>> Await(const std::string& id, int64_t seen,
                                                       absl::Time deadline) = 0;
  virtual absl::StatusOr<std::vector<v1::Job>> List(const v1::ListJobsRequest& request) = 0;
  virtual absl::StatusOr<std::optional<std::pair<std::string, std::string>>> FindSubmission(
      absl::string_view key) = 0;  // Job id and request hash.
  virtual std::vector<v1::Worker> Workers() = 0;
};

class LogPort {
 public:
  virtual ~LogPort() = default;
  // Appends what is new of the piece; returns the size afterwards, which is less than `offset`
  // where something before it is missing (then nothing was appended).
  virtual absl::StatusOr<int64_t> Append(const std::string& attempt_id, int64_t offset,
                                         absl::string_view data) = 0;
  virtual int64_t Size(const std::string& attempt_id) = 0;
  // Returns once all that was appended is durable.
  virtual absl::Status Sync(const std::string& attempt_id) = 0;
  // At most `limit` bytes from `offset`; empty at the present end.
  virtual absl::StatusOr<std::string> Read(const std::string& attempt_id, int64_t offset,
                                           size_t limit) = 0;
  // Where the last `lines` lines begin.
  virtual absl::StatusOr<int64_t> OffsetOfTail(const std::string& attempt_id, int64_t lines) = 0;
  // Where that begins which arrived at `since` or later.
  virtual absl::StatusOr<int64_t> OffsetSince(const std::string& attempt_id, absl::Time since) = 0;
  // Waits until there is more than `offset`, or until End where it was not known of, or the
  // deadline.
  virtual void AwaitMore(const std::string& attempt_id, int64_t offset, bool knows_end,
                         absl::Time deadline) = 0;
  // The attempt has finished: who follows its log may look whether that was all.
  virtual void End(const std::string& attempt_id) = 0;
};

// Blobs that become durable and visible together, by Commit.
class BlobUpload {
 public:
  virtual ~BlobUpload() = default;
  virtual absl::Status Add(const Digest& digest, absl::string_view bytes) = 0;
  virtual absl::Status Commit() = 0;
};

class ContentPort {
 public:
  virtual ~ContentPort() = default;
  virtual bool Has(const Digest& digest) = 0;
  virtual absl::StatusOr<std::string> Get(const Digest& digest) = 0;
  virtual std::unique_ptr<BlobUpload> BeginUpload() = 0;
  // RESOURCE_EXHAUSTED where the disk is too full for anything new.
  virtual absl::Status CheckRoom() = 0;
  // FAILED_PRECONDITION, naming what is missing, unless all that a job reads (its context, the
  // named ones, a Containerfile beside them) is there and sound. Nothing of it is given up within
  // the next hour, nor while a live job needs it.
  virtual absl::Status CheckContexts(const v1::JobSpec& spec) = 0;
  virtual v1::ContextLimits Limits() = 0;
};

// The values that come with a job and go to the workers that build it. Never logged, never stored
// in clear.
struct JobSecrets {
  std::vector<v1::Secret> secrets;
  std::vector<v1::Secret> ssh_keys;
  std::string authfile;  // A containers auth.json; empty: the controller's own credentials.
};

class SecretPort {
 public:
  virtual ~SecretPort() = default;
  virtual absl::StatusOr<std::vector<core::SealedSecret>> Seal(const std::string& job_id,
                                                               const JobSecrets& secrets) = 0;
  // FAILED_PRECONDITION where the key is another one than they were sealed with.
  virtual absl::StatusOr<JobSecrets> Unseal(const std::string& job_id,
                                            const std::vector<core::SealedSecret>& sealed) = 0;
};

class RegistryPort {
 public:
  virtual ~RegistryPort() = default;
  // Whether the job's tags can be written; an error is meant for the person who submits. `authfile`
  // has credentials of the job's own; empty: the controller's. With JobSpec.immutable no tag may
  // exist, but for those that the job which this one repeats has written.
  virtual absl::Status Preflight(const v1::JobSpec& spec, const std::string& authfile,
                                 const std::set<std::string>& written_before) = 0;
  // The same, one check after the other.
  virtual absl::StatusOr<v1::CheckDestinationsResponse> CheckDestinations(
      const v1::CheckDestinationsRequest& request) = 0;
  // Whether the worker shares the controller's loopback.
  virtual bool IsLocal(const v1::WorkerDescription& worker) = 0;
  // What a worker needs for the repository and for base images.
  virtual v1::RegistryAccess AccessFor(const std::string& repository) = 0;
};

}  // namespace manyarch::controller::rpc
