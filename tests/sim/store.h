// A store that may fail before it has written, or after.
#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "controller/core/farm.h"
#include "tests/sim/run_context.h"

namespace manyarch::sim {

namespace core = controller::core;

// Survives every controller. What it holds is what is durable.
class SimStore {
 public:
  explicit SimStore(RunContext* run) : run_(run) {}

  std::map<std::string, core::Job> jobs;  // Terminal ones too.
  std::map<std::string, core::Worker> workers;
  std::map<std::string, core::TagOwner> tags;
  int64_t epoch = 0;

  core::FarmState Load() const;
  // Applies what the effects name, under the epoch of whoever commits.
  absl::Status Commit(int64_t committer, const core::Farm& farm, const core::Effects& effects);
  std::string FindSubmission(const std::string& key) const;  // Job id, or empty.

 private:
  void CheckTransition(const core::Job& before, const core::Job& after);

  RunContext* const run_;
};

}  // namespace manyarch::sim
