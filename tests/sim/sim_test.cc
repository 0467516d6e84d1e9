// Thousands of small farms, each with its own luck.
#include <iostream>

#include "absl/strings/numbers.h"
#include "gtest/gtest.h"
#include "tests/sim/world.h"

namespace manyarch::sim {
namespace {

int SeedsToRun() {
  int seeds = 0;
  const char* text = std::getenv("MANYARCH_SIM_SEEDS");
  return text != nullptr && absl::SimpleAtoi(text, &seeds) ? seeds : 1000;
}

TEST(Simulation, EveryPromiseHoldsUnderFaults) {
  int jobs = 0;
  int succeeded = 0;
  int crashes = 0;
  const int seeds = SeedsToRun();
  for (int seed = 1; seed <= seeds; ++seed) {
    const RunResult result = World(static_cast<uint64_t>(seed)).Run();
    jobs += result.jobs;
    succeeded += result.succeeded;
    crashes += result.crashes;
    if (result.violation.empty()) continue;
    for (const std::string& line : result.trace) std::cerr << line << "\n";
    FAIL() << "seed " << seed << ": " << result.violation;
  }
  std::cout << seeds << " seeds, " << jobs << " jobs, " << succeeded << " succeeded, " << crashes
            << " restarts of the controller\n";
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
