// What must survive a crash: jobs, workers, tag owners, estimates. Entities as rows, with a proto
// for a body.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "controller/core/farm.h"
#include "controller/core/types.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/stored.pb.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller {

// A job, and the same as it is stored (wire::ToStored): whoever commits it needs that, too.
struct JobRow {
  const core::Job* job;
  const v1::StoredJob* stored;
};

// One transaction. Pointers are borrowed for the length of the call.
struct Batch {
  std::vector<JobRow> jobs;
  std::vector<const core::Worker*> workers;
  std::vector<std::pair<std::string, core::TagOwner>> tags;
  std::vector<std::pair<core::BuildKind, const core::History*>> estimates;  // Null: forgotten.
};

// Where a job's idempotency key was seen before.
struct KnownSubmission {
  std::string job_id;
  std::string request_hash;
};

// Thread-safe. One process owns a store at a time: every opening raises the epoch, and a commit
// under an older epoch is refused.
class Store {
 public:
  virtual ~Store() = default;

  // The live jobs, all workers, all tag owners and all estimates.
  virtual absl::StatusOr<core::FarmState> Load() = 0;

  // All or nothing, durable on return. RESOURCE_EXHAUSTED: the disk is full. ABORTED: another
  // controller has taken over the store. After any error memory is ahead of the store: load again.
  virtual absl::Status Commit(const Batch& batch) = 0;

  // By id or unique prefix of one. NOT_FOUND, or INVALID_ARGUMENT when several jobs match.
  virtual absl::StatusOr<v1::Job> GetJob(absl::string_view id_or_prefix) = 0;
  // Newest first.
  virtual absl::StatusOr<std::vector<v1::Job>> ListJobs(const v1::ListJobsRequest& request) = 0;
  virtual absl::StatusOr<std::optional<KnownSubmission>> FindSubmission(absl::string_view key) = 0;

  // The sealed secrets of a live job. They were committed with it, and go in the commit that makes
  // it terminal.
  virtual absl::StatusOr<std::vector<core::SealedSecret>> SecretsOf(const std::string& job_id) = 0;
};

// Opens or creates `path` (SQLite: WAL, synchronous=FULL), migrates an older schema forward,
// refuses a newer one.
absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path);

}  // namespace manyarch::controller
