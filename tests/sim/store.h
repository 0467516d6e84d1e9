// A store that may fail before it has written, or after, and that loses in a crash what it had not
// synced.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "controller/core/farm.h"
#include "tests/sim/run_context.h"

namespace manyarch::sim {

namespace core = controller::core;

// Survives every controller. What `jobs`, `workers` and `tags` hold is what is durable.
class SimStore {
 public:
  explicit SimStore(RunContext* run) : run_(run) {}

  std::map<std::string, core::Job> jobs;  // Terminal ones too.
  std::map<std::string, core::Worker> workers;
  std::map<std::string, core::TagOwner> tags;
  std::map<core::BuildKind, core::History> estimates;
  int64_t epoch = 0;
  int64_t version = 0;  // Rises with every change.

  absl::StatusOr<core::FarmState> Load(int64_t reader);

  // Writes what the effects name, under the epoch of whoever commits, and syncs it.
  absl::Status Commit(int64_t committer, const core::Farm& farm, const core::Effects& effects);
  // The two halves of it, for those who die in between.
  absl::Status Write(int64_t committer, const core::Farm& farm, const core::Effects& effects);
  void Sync();
  void LoseUnsynced() { unsynced_ = {}; }

  std::string FindSubmission(const std::string& key) const;  // Job id, or empty.
  // The durable attempt, or null.
  const core::Attempt* FindAttempt(const std::string& attempt_id) const;
  // The newest durable job that has an image as a build's, or null.
  const core::Job* FindWinnersJob(const std::string& digest) const;

 private:
  struct Rows {
    std::map<std::string, core::Job> jobs;
    std::map<std::string, core::Worker> workers;
    std::map<std::string, core::TagOwner> tags;
    std::map<core::BuildKind, core::History> estimates;
  };
  void CheckTransition(const core::Job& before, const core::Job& after);
  void CheckJob(const core::Job& job);

  RunContext* const run_;
  Rows unsynced_;
};

}  // namespace manyarch::sim
