// What must hold of placement on any farm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/bench/placement/result.h"

namespace manyarch::bench {
namespace {

constexpr uint64_t kSeeds = 60;
constexpr double kMaxOvertake = 1800;

bool AnyNative(const Trace& trace, int platform) {
  return std::any_of(trace.workers.begin(), trace.workers.end(),
                     [&](const TraceWorker& worker) { return Offers(worker.native, platform); });
}

// Whether builds of the platform are at home on the worker.
bool IsHome(const Trace& trace, int worker, int platform) {
  const TraceWorker& one = trace.workers[static_cast<size_t>(worker)];
  if (Offers(one.native, platform)) return true;
  return Offers(one.emulated, platform) && !AnyNative(trace, platform);
}

double SubmittedAt(const Trace& trace, size_t build) {
  return trace.jobs[static_cast<size_t>(trace.builds[build].job)].at;
}

class OnRandomFarms : public ::testing::Test {
 protected:
  template <typename Check>
  void ForEach(Check check) {
    for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      const Trace trace = RandomTrace(seed, 0);
      Runs runs(trace.builds.size());
      const Result result = RunFarm(trace, &runs);
      check(seed, trace, runs, result);
    }
  }
};

TEST_F(OnRandomFarms, EveryBuildEndsAndNoSlotIsGivenTwice) {
  ForEach([](uint64_t, const Trace& trace, const Runs& runs, const Result&) {
    for (size_t b = 0; b < trace.builds.size(); ++b) {
      ASSERT_GE(runs.end[b], runs.start[b]);
      ASSERT_GE(runs.start[b], SubmittedAt(trace, b));
      int together = 0;
      for (size_t o = 0; o < trace.builds.size(); ++o) {
        if (runs.worker[o] == runs.worker[b] && runs.start[o] <= runs.start[b] &&
            runs.end[o] > runs.start[b] + 1e-6) {
          ++together;
        }
      }
      ASSERT_LE(together, trace.workers[static_cast<size_t>(runs.worker[b])].slots);
    }
  });
}

TEST_F(OnRandomFarms, NoneWaitsPastTheBoundWhileLaterOnesStartAtItsHome) {
  ForEach([](uint64_t, const Trace& trace, const Runs& runs, const Result&) {
    for (size_t b = 0; b < trace.builds.size(); ++b) {
      if (!IsHome(trace, runs.worker[b], trace.builds[b].platform)) continue;
      for (size_t a = 0; a < trace.builds.size(); ++a) {
        if (SubmittedAt(trace, a) + kMaxOvertake > runs.start[b]) continue;
        if (runs.start[a] <= runs.start[b]) continue;
        if (!IsHome(trace, runs.worker[b], trace.builds[a].platform)) continue;
        ASSERT_GE(std::floor(SubmittedAt(trace, a) / 60), std::floor(SubmittedAt(trace, b) / 60))
            << "build " << b << " started at " << runs.start[b] << " before " << a;
      }
    }
  });
}

// Starting in order never looks back, so another worker can make the end later (Graham's anomaly):
// hardly ever, and not by much.
TEST_F(OnRandomFarms, AnotherWorkerHardlyEverMakesTheMakespanWorse) {
  constexpr uint64_t kFarms = 300;
  uint64_t worse = 0;
  for (uint64_t seed = 1; seed <= kFarms; ++seed) {
    const double without = RunFarm(RandomTrace(seed, 0)).makespan;
    const double with = RunFarm(RandomTrace(seed, 1)).makespan;
    EXPECT_LE(with, 1.10 * without) << "seed " << seed;
    if (with > 1.05 * without) ++worse;
  }
  EXPECT_LE(worse, kFarms / 100);
}

TEST_F(OnRandomFarms, TheBoundIsOne) {
  ForEach([](uint64_t, const Trace& trace, const Runs&, const Result& result) {
    EXPECT_GE(result.makespan, LowerBound(trace) * 0.999);
  });
}

}  // namespace
}  // namespace manyarch::bench
