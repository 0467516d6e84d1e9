// What every part of a simulated run shares.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/sim/rules.h"
#include "tests/sim/scheduler.h"

namespace manyarch::sim {

struct RunContext {
  explicit RunContext(uint64_t seed) : chance(seed), start(scheduler.now()) {}

  Scheduler scheduler;
  Chance chance;
  const absl::Time start;
  bool faults = true;  // Off once they have stopped for good.
  std::vector<std::string> trace;
  std::string violation;  // The first one; empty while all promises hold.

  std::set<std::string> hung;         // Attempts that never end by themselves.
  absl::Time registry_down_until;     // It answers nothing before.
  absl::Time disk_full_until;         // The controller's: no commit succeeds before.
  std::map<std::string, int> deaths;  // By job: workers that its builds have killed.

  bool Luck(uint64_t one_in) { return faults && chance.OneIn(one_in); }

  template <typename... T>
  void Trace(const T&... what) {
    trace.push_back(absl::StrCat(absl::ToDoubleSeconds(scheduler.now() - start), "s ", what...));
  }
  template <typename... T>
  void Violated(const T&... what) {
    if (!violation.empty()) return;
    violation = absl::StrCat(what...);
    Trace("VIOLATED: ", violation);
  }
};

}  // namespace manyarch::sim
