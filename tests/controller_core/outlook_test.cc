// How waiting work is spread over classes of workers.
#include "controller/core/outlook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace manyarch::controller::core {
namespace {

using ::testing::ElementsAre;

constexpr double kNever = std::numeric_limits<double>::infinity();

// 100 builds that take a minute natively and ten under emulation.
LaneWork Lane(size_t native, size_t emulated) {
  return {{{native, 6'000, 60}, {emulated, 60'000, 600}}};
}

TEST(Spread, EmulatesAsFarAsBothEndTogether) {
  // 2 native slots, 20 that emulate: half of the work each.
  const Outlook outlook = Spread({{2, 0}, {20, 0}}, {Lane(0, 1)});
  EXPECT_THAT(outlook.part.at(0), ElementsAre(0.5, 0.5));
  EXPECT_THAT(outlook.until_done, ElementsAre(1500, 1500));
}

TEST(Spread, LeavesNothingToEmulationThatWouldEndEachBuildLater) {
  // 20 native slots have done it all in five minutes; emulated, the first build takes ten.
  const Outlook outlook = Spread({{20, 0}, {200, 0}}, {Lane(0, 1)});
  EXPECT_THAT(outlook.part.at(0), ElementsAre(1, 0));
  EXPECT_THAT(outlook.until_done, ElementsAre(300, 0));
}

TEST(Spread, WhatRunsAlreadyCountsAndNoSlotsMeansNever) {
  const Outlook outlook = Spread({{2, 600}, {0, 0}}, {Lane(0, 1)});
  EXPECT_THAT(outlook.until_done, ElementsAre(3300, kNever));
  EXPECT_THAT(outlook.part.at(0), ElementsAre(1, 0));
}

TEST(Spread, WorkWithAChoiceGivesWayToWorkWithNone) {
  // The first lane can go to either class, the second to class 1 alone.
  const LaneWork either{{{0, 1000, 10}, {1, 1000, 10}}};
  const LaneWork one{{{1, 1000, 10}}};
  const Outlook outlook = Spread({{1, 0}, {1, 0}}, {either, one});
  EXPECT_THAT(outlook.part, ElementsAre(ElementsAre(1, 0), ElementsAre(1)));
}

}  // namespace
}  // namespace manyarch::controller::core
