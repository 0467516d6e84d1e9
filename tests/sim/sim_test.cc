// Thousands of small farms, each with its own luck.
#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "tests/sim/world.h"

namespace manyarch::sim {
namespace {

int Setting(const char* name, int fallback) {
  int value = 0;
  const char* text = std::getenv(name);
  return text != nullptr && absl::SimpleAtoi(text, &value) ? value : fallback;
}

TEST(Simulation, EveryPromiseHoldsUnderFaults) {
  int jobs = 0;
  int succeeded = 0;
  int crashes = 0;
  const int from = Setting("MANYARCH_SIM_FROM", 1);
  const int seeds = Setting("MANYARCH_SIM_SEEDS", 1000);
  for (int seed = from; seed < from + seeds; ++seed) {
    const RunResult result = World(static_cast<uint64_t>(seed)).Run();
    jobs += result.jobs;
    succeeded += result.succeeded;
    crashes += result.crashes;
    if (result.violation.empty()) continue;
    for (const std::string& line : result.trace) std::cerr << line << "\n";
    FAIL() << "seed " << seed << ": " << result.violation
           << "\nto see it again: tests/sim/run --from " << seed << " --seeds 1 --trace";
  }
  std::cout << seeds << " seeds from " << from << ", " << jobs << " jobs, " << succeeded
            << " succeeded, " << crashes << " restarts of the controller\n";
  // A simulation in which nothing is at stake would prove nothing.
  EXPECT_GT(succeeded, jobs / 3);
  EXPECT_GT(crashes, seeds / 10);
}

TEST(Simulation, SameSeedSameRun) {
  const RunResult first = World(7).Run();
  const RunResult second = World(7).Run();
  EXPECT_EQ(first.trace, second.trace);
}

}  // namespace
}  // namespace manyarch::sim
