// What must hold of placement on any farm.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include "tests/bench/placement/result.h"

namespace manyarch::bench {
namespace {

constexpr uint64_t kSeeds = 60;

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

class OnRandomFarms : public ::testing::TestWithParam<bool> {
 protected:
  template <typename Check>
  static void ForEach(Check check) {
    for (uint64_t seed = 1; seed <= kSeeds && !HasFailure(); ++seed) {
      SCOPED_TRACE(testing::Message() << "seed " << seed);
      const Trace trace = GetParam() ? FlappingTrace(seed) : RandomTrace(seed, 0);
      Runs runs(trace.builds.size());
      const Result result = RunFarm(trace, &runs);
      check(trace, runs, result);
    }
  }
};

INSTANTIATE_TEST_SUITE_P(Of, OnRandomFarms, testing::Bool(), [](const auto& of) {
  return of.param ? "FlappingWorkers" : "SteadyWorkers";
});

TEST_P(OnRandomFarms, EveryBuildEndsAndNoSlotIsGivenTwice) {
  ForEach([](const Trace& trace, const Runs& runs, const Result&) {
    for (size_t b = 0; b < trace.builds.size(); ++b) {
      ASSERT_GE(runs.end[b], runs.start[b]);
      ASSERT_GE(runs.first[b], SubmittedAt(trace, b));
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

TEST_P(OnRandomFarms, NoneWaitsPastTheBoundWhileLaterOnesStartAtItsHome) {
  ForEach([](const Trace& trace, const Runs& runs, const Result&) {
    for (const Runs::Start& start : runs.starts) {
      if (!IsHome(trace, start.worker, trace.builds[start.build].platform)) continue;
      for (size_t a = 0; a < trace.builds.size(); ++a) {
        if (SubmittedAt(trace, a) + kMaxOvertake > start.at || runs.first[a] <= start.at) continue;
        if (!IsHome(trace, start.worker, trace.builds[a].platform)) continue;
        ASSERT_GT(SubmittedAt(trace, a), SubmittedAt(trace, start.build) - kMaxOvertake / 10)
            << "build " << start.build << " started at " << start.at << " before " << a;
      }
    }
  });
}

// The same kind of build loses as much by emulation, so what could start there could have before.
TEST_P(OnRandomFarms, NoneWaitsPastTheBoundWhileLaterOnesOfItsKindStartAsGuests) {
  ForEach([](const Trace& trace, const Runs& runs, const Result&) {
    const auto job = [&](size_t build) -> const TraceJob& {
      return trace.jobs[static_cast<size_t>(trace.builds[build].job)];
    };
    for (const Runs::Start& start : runs.starts) {
      const int platform = trace.builds[start.build].platform;
      if (!AnyNative(trace, platform) || IsHome(trace, start.worker, platform)) continue;
      for (size_t a = 0; a < trace.builds.size(); ++a) {
        if (SubmittedAt(trace, a) + kMaxOvertake > start.at || runs.first[a] <= start.at) continue;
        if (trace.builds[a].platform != platform || !job(a).allow ||
            job(a).repository != job(start.build).repository) {
          continue;
        }
        ASSERT_GT(SubmittedAt(trace, a), SubmittedAt(trace, start.build) - kMaxOvertake / 10)
            << "build " << start.build << " was a guest at " << start.at << " before " << a;
      }
    }
  });
}

// Starting in order never looks back, so another worker can make the end later (Graham's anomaly):
// hardly ever, and not by much.
TEST(AnotherWorker, HardlyEverMakesTheMakespanWorse) {
  constexpr uint64_t kFarms = 300;
  uint64_t worse = 0;
  for (uint64_t seed = 1; seed <= kFarms; ++seed) {
    const double without = RunFarm(RandomTrace(seed, 0)).makespan;
    const double with = RunFarm(RandomTrace(seed, 1)).makespan;
    EXPECT_LE(with, 1.08 * without) << "seed " << seed;
    if (with > 1.05 * without) ++worse;
  }
  EXPECT_LE(worse, kFarms / 100);
}

TEST_P(OnRandomFarms, TheBoundIsOne) {
  ForEach([](const Trace& trace, const Runs&, const Result& result) {
    EXPECT_GE(result.makespan, LowerBound(trace) * 0.999);
  });
}

// Over seeds that are not those of the published table.
TEST(OnMixedTraces, OursIsNearTheLowerBoundAndNoSimplerPolicyEndsSooner) {
  std::vector<double> to_bound;
  std::map<std::string, double> ours;
  std::map<std::string, double> theirs;
  for (uint64_t seed = 101; seed <= 103; ++seed) {
    for (const Trace& trace : MixedTraces(seed * 100)) {
      const double bound = LowerBound(trace);
      const double makespan = RunFarm(trace).makespan;
      to_bound.push_back(makespan / bound);
      ours[trace.name] += makespan / bound;
      double best = std::numeric_limits<double>::infinity();
      for (const Rival rival : {Rival::kFirstNative, Rival::kLeastLoaded, Rival::kFifo}) {
        best = std::min(best, RunRival(trace, rival).makespan);
      }
      theirs[trace.name] += best / bound;
    }
  }
  std::sort(to_bound.begin(), to_bound.end());
  EXPECT_LE(to_bound[to_bound.size() / 2], 1.15);
  for (const auto& [trace, sum] : ours) EXPECT_LE(sum, 1.02 * theirs[trace]) << trace;
}

}  // namespace
}  // namespace manyarch::bench
