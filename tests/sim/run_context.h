// What every part of a simulated run shares.
#pragma once

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
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
