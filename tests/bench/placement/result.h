// What came of one trace under one policy.
#pragma once

#include <string>
#include <vector>

#include "tests/bench/placement/trace.h"

namespace manyarch::bench {

struct Result {
  std::string policy;
  double makespan = 0;
  double mean_wait = 0;
  double p95_wait = 0;
  double fairness = 1;   // Jain's index of the projects' mean stretch: (wait + run) / run.
  int emulated = 0;      // Builds that ended so.
  double decide_us = 0;  // Real time of all steps, a build.
};

// When each build started (for the first and for the last time) and ended.
struct Runs {
  explicit Runs(size_t builds)
      : first(builds, -1),
        start(builds, -1),
        end(builds, -1),
        emulated(builds, false),
        worker(builds, -1) {}
  std::vector<double> first;
  std::vector<double> start;
  std::vector<double> end;
  std::vector<bool> emulated;
  std::vector<int> worker;
  struct Start {
    size_t build = 0;
    int worker = 0;
    double at = 0;
  };
  std::vector<Start> starts;  // All, in order.
};

Result Summarise(const std::string& policy, const Trace& trace, const Runs& runs);

// Nothing that any scheduler could end sooner than: prices of a second on each class of workers,
// set so that the cheapest way to do all work costs most, and the longest single build.
double LowerBound(const Trace& trace);

constexpr double kMaxOvertake = 1800;  // Seconds; the controller's default.

// The core's own farm, driven through its events on a virtual clock.
Result RunFarm(const Trace& trace, Runs* runs_out = nullptr, double max_overtake = kMaxOvertake);

// The policies it is compared with. All take builds in the order of submission.
enum class Rival {
  kFirstNative,  // The first free native slot in the list of workers, else the first emulated one.
  kLeastLoaded,  // The free slot, native or not, of the worker with the smallest part taken.
  kFifo,         // The first free slot that is native, where any worker is.
};
Result RunRival(const Trace& trace, Rival rival, Runs* runs_out = nullptr);

// Draws makespan over the lower bound for every trace and policy.
std::string Plot(const std::vector<std::string>& traces,
                 const std::vector<std::vector<std::pair<std::string, double>>>& ratios);

}  // namespace manyarch::bench
