// Whether the simulator finds bugs: each rule is broken on purpose, and a run must notice.
#include <cstdio>
#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/sim/world.h"

namespace manyarch::sim {
namespace {

constexpr uint64_t kMostSeeds = 20000;

const char* const kMissing[] = {
#include "missing_rules.inc"
    nullptr};

// What may be broken: in the cores by rules.cmake, in the store by itself.
const char* const kRules[] = {
    "nothing is carried out before the commit",
    "a submission is answered after the commit",
    "the intent is committed before the list is pushed",
    "a commit under an older epoch is refused",
    "an attempt is durable before it is offered",
    "one key makes one job",
    "what is publishing is not cancelled",
    "a tag goes to the newest submission only",
    "an immutable job moves no tag",
    "a build has one winner",
    "an image wins once it is verified",
    "an interrupted publication is taken up again",
    "an interrupted check is taken up again",
    "what is over is not revived",
    "the first result of an attempt counts",
    "a lost attempt counts against its build",
    "an acknowledged result was taken",
    "leases are judged by the steady clock",
    "what a worker comes back without is tried again",
    "an abandoned attempt holds its slot until it is gone",
    "a result stays until it is acknowledged",
    "a Hello tells of all that runs",
    "unacknowledged results are told again",
    "a silent connection is dialled anew",
};

class Rules : public testing::Test {
 protected:
  ~Rules() override { BrokenRule().clear(); }
};

TEST_F(Rules, EveryOneIsStillWhereItIsBroken) {
  for (const char* const* name = kMissing; *name != nullptr; ++name) {
    ADD_FAILURE() << "the rule '" << *name
                  << "' is not where tests/sim/rules.cmake looks for it: the code around it has "
                     "changed, so put its new words there";
  }
}

TEST_F(Rules, BrokenOnesAreNoticed) {
  std::printf("%-55s %5s  %s\n", "broken rule", "seed", "what was noticed");
  for (const char* const rule : kRules) {
    BrokenRule() = rule;
    std::string noticed;
    uint64_t seed = 0;
    while (noticed.empty() && seed < kMostSeeds) noticed = World(++seed).Run().violation;
    std::printf("%-55s %5d  %s\n", rule, static_cast<int>(seed),
                noticed.empty() ? "NOTHING" : noticed.c_str());
    std::fflush(stdout);
    EXPECT_NE(noticed, "") << "breaking the rule '" << rule << "' went unnoticed over "
                           << kMostSeeds << " seeds";
  }
}

TEST_F(Rules, TheCopiesHoldEveryPromiseWhenNoneIsBroken) {
  for (uint64_t seed = 1; seed <= 100; ++seed) EXPECT_EQ(World(seed).Run().violation, "");
}

}  // namespace
}  // namespace manyarch::sim
