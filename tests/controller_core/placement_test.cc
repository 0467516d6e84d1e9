// Where builds go, and when: cases that read like sentences.
#include "controller/core/placement.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/controller_core/farm_rig.h"
#include "tests/controller_core/known.h"

namespace manyarch::controller::core {
namespace {

using ::testing::AnyOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(PlacementPolicy, WaitsForABusyNativeSlotThatEndsSoonerThanEmulation) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 80}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
  rig.Submit("j1", SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  rig.Accept(1, "j1-arm64-1");
  rig.Submit("j2", SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j2"));
  rig.Pass(absl::Minutes(9), {1, 2});
  EXPECT_THAT(rig.Push(1, "j1-arm64-1"), Contains("offer j2-arm64-1 to 1"));
}

TEST(PlacementPolicy, EmulatesWhatWouldWaitLongerForANativeSlot) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 20}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}, 2);
  for (int j = 1; j <= 4; ++j) {
    rig.Submit(absl::StrCat("j", j), SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  }
  // The first has the native slot; of the others those whose turn is last are emulated.
  EXPECT_THAT(rig.last(), Contains(HasSubstr("to 2 emulated")));
  EXPECT_THAT(rig.waiting("j2"), HasSubstr("waiting for a free slot"));
}

TEST(PlacementPolicy, FallbackNeverEmulatesWhileANativeWorkerIsRegistered) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 11}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}, 4);
  for (int j = 1; j <= 6; ++j) rig.Submit(absl::StrCat("j", j), SpecOf("reg/app", "linux/arm64"));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j6"));
}

TEST(PlacementPolicy, AGuestTakesNoSlotThatABuildAtHomeWaitsFor) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 15}, {"reg/app", "linux/amd64", 10, 0}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
  rig.Submit("a", SpecOf("reg/app", "linux/amd64"));
  for (int j = 1; j <= 6; ++j) {
    rig.Submit(absl::StrCat("j", j), SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  }
  rig.Submit("b", SpecOf("reg/app", "linux/amd64"));
  rig.Accept(2, "a-amd64-1");
  EXPECT_THAT(rig.Push(2, "a-amd64-1"), Contains("offer b-amd64-1 to 2"));
  rig.Accept(2, "b-amd64-1");
  EXPECT_THAT(rig.Push(2, "b-amd64-1"), Contains(HasSubstr("to 2 emulated")));
}

TEST(PlacementPolicy, TheSlowestPlatformOfAJobGoesFirst) {
  FarmRig rig(After({{"reg/app", "linux/amd64", 2, 0}, {"reg/app", "linux/386", 9, 0}}));
  auto spec = FarmRig::Spec({"linux/amd64", "linux/386"});
  spec->tags = {{"reg/app", "v1"}};
  rig.Submit("j1", spec);
  EXPECT_THAT(rig.Join("w", 1, {"linux/amd64", "linux/386"}),
              ElementsAre("greet 1", "offer j1-386-1 to 1"));
}

TEST(PlacementPolicy, ALongBuildStartsBeforeShortOnesSubmittedALittleEarlier) {
  FarmRig rig(After({{"reg/long", "linux/amd64", 120, 0}, {"reg/short", "linux/amd64", 1, 0}}));
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j0", SpecOf("reg/short", "linux/amd64"));
  rig.Accept(1, "j0-amd64-1");
  rig.Submit("short", SpecOf("reg/short", "linux/amd64"));
  rig.Pass(absl::Minutes(15), {1});
  rig.Submit("long", SpecOf("reg/long", "linux/amd64"));
  EXPECT_THAT(rig.Push(1, "j0-amd64-1"), Contains("offer long-amd64-1 to 1"));
}

TEST(PlacementPolicy, OfSeveralGuestsTheOneThatLosesLeastByEmulationGoes) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 80}, {"reg/script", "linux/arm64", 10, 20}}));
  rig.Join("native", 1, {"linux/arm64"});
  for (int j = 1; j <= 14; ++j) {
    rig.Submit(absl::StrCat("j", j),
               SpecOf(j == 7 ? "reg/script" : "reg/app", "linux/arm64", Emulation::kAllow));
  }
  EXPECT_THAT(rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}),
              Contains("offer j7-arm64-1 to 2 emulated"));
}

TEST(PlacementPolicy, AGuestThatHasWaitedForMaxOvertakeIsOvertakenByNoLaterGuest) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 30, 40}, {"reg/other", "linux/arm64", 300, 0}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Submit("busy", SpecOf("reg/other", "linux/arm64"));
  rig.Accept(1, "busy-arm64-1");
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
  const auto submit = [&](const std::string& job) {
    rig.Submit(job, SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  };
  submit("first");
  rig.Accept(2, "first-arm64-1");
  submit("old");
  rig.Pass(absl::Minutes(40), {1, 2});
  for (int j = 0; j < 100; ++j) submit(absl::StrCat("later", j));
  EXPECT_THAT(rig.Push(2, "first-arm64-1"), Contains("offer old-arm64-1 to 2 emulated"));
}

TEST(PlacementPolicy, ABuildReturnsToTheWorkerThatHasBuiltItLately) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j0", SpecOf("reg/other", "linux/amd64"));
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", SpecOf("reg/app", "linux/amd64"));
  rig.Build(1, "j0-amd64-1");
  rig.Accept(2, "j1-amd64-1");
  rig.Pass(absl::Minutes(1), {1, 2});
  rig.Push(2, "j1-amd64-1");
  rig.Checked("j1-amd64-1");
  EXPECT_THAT(rig.Submit("j2", SpecOf("reg/app", "linux/amd64")),
              ElementsAre("answer 1: j2", "offer j2-amd64-1 to 2"));
}

TEST(PlacementPolicy, OfMachinesThatDifferTheOneThatKnowsItIsTakenForWhatAColdOneCosts) {
  FarmRig rig;
  // "knows" could do more than the other one, which would be a reason to leave it free.
  rig.Join("knows", 1, {"linux/amd64", "linux/386"});
  rig.Submit("j1", SpecOf("reg/app", "linux/amd64"));
  rig.Accept(1, "j1-amd64-1");
  rig.Pass(absl::Minutes(1), {1});
  rig.Push(1, "j1-amd64-1");
  rig.Checked("j1-amd64-1");
  rig.Join("other", 2, {"linux/amd64"});
  EXPECT_THAT(rig.Submit("new", SpecOf("reg/new", "linux/amd64")),
              Contains("offer new-amd64-1 to 2"));
  rig.Cancel("new");
  rig.Gone(2, "new-amd64-1");
  EXPECT_THAT(rig.Submit("j2", SpecOf("reg/app", "linux/amd64")),
              Contains("offer j2-amd64-1 to 1"));
}

TEST(PlacementPolicy, NothingStarvesHoweverManyUrgentOnesFollow) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("u0", SpecOf("reg/urgent", "linux/amd64"));
  rig.Accept(1, "u0-amd64-1");
  rig.Submit("patient", SpecOf("reg/app", "linux/amd64"));
  int minutes = 0;
  for (; rig.waiting("patient") != "(does not wait)" && minutes < 60; ++minutes) {
    auto urgent = SpecOf("reg/urgent", "linux/amd64");
    urgent->priority = 100;
    rig.Submit(absl::StrCat("u", minutes + 1), urgent);
    rig.Pass(absl::Minutes(1), {1});
    const std::string running = absl::StrCat("u", minutes, "-amd64-1");
    rig.Push(1, running);
    rig.Accept(1, absl::StrCat("u", minutes + 1, "-amd64-1"));
    rig.Checked(running);
  }
  EXPECT_EQ(minutes, 30);
}

TEST(PlacementPolicy, ProjectsTakeTurnsHoweverMuchOneHasSubmitted) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  for (int j = 1; j <= 5; ++j) rig.Submit(absl::StrCat("big", j), SpecOf("reg/big", "linux/amd64"));
  auto small = SpecOf("reg/small", "linux/amd64");
  small->project = "small";
  rig.Submit("small1", small);
  rig.Accept(1, "big1-amd64-1");
  rig.Pass(absl::Minutes(3), {1});
  EXPECT_THAT(rig.Push(1, "big1-amd64-1"), Contains("offer small1-amd64-1 to 1"));
}

TEST(PlacementPolicy, WhatHasWaitedForMaxOvertakeIsOvertakenByNoneLater) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j0", SpecOf("reg/app", "linux/amd64"));
  rig.Accept(1, "j0-amd64-1");
  rig.Submit("old", SpecOf("reg/app", "linux/amd64"));
  rig.Pass(absl::Minutes(31), {1});
  auto urgent = SpecOf("reg/app", "linux/amd64");
  urgent->priority = 100;
  urgent->project = "another";
  rig.Submit("urgent", urgent);
  EXPECT_THAT(rig.Push(1, "j0-amd64-1"), Contains("offer old-amd64-1 to 1"));
}

TEST(PlacementPolicy, BeforeThatPriorityGoesFirst) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j0", SpecOf("reg/app", "linux/amd64"));
  rig.Accept(1, "j0-amd64-1");
  rig.Submit("old", SpecOf("reg/app", "linux/amd64"));
  rig.Pass(absl::Minutes(29), {1});
  auto urgent = SpecOf("reg/app", "linux/amd64");
  urgent->priority = 100;
  rig.Submit("urgent", urgent);
  EXPECT_THAT(rig.Push(1, "j0-amd64-1"), Contains("offer urgent-amd64-1 to 1"));
}

TEST(PlacementPolicy, ConstraintsAreLabelsThatTheWorkerMustHave) {
  FarmRig rig;
  auto spec = SpecOf("reg/app", "linux/amd64");
  spec->constraints = {{"disk", "nvme"}, {"zone", "b"}};
  rig.Join("plain", 1, {"linux/amd64"});
  WorkerHello slow = FarmRig::HelloOf("slow", 2, {"linux/amd64"});
  slow.description.labels = {{"disk", "hdd"}, {"zone", "b"}};
  rig.Do(slow);
  rig.Submit("j1", spec);
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("plain has no label disk=nvme"));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("slow has the label disk=hdd, not disk=nvme"));
  WorkerHello fits = FarmRig::HelloOf("fits", 3, {"linux/amd64"});
  fits.description.labels = {{"disk", "nvme"}, {"zone", "b"}, {"more", "x"}};
  EXPECT_THAT(rig.Do(fits), ElementsAre("greet 3", "offer j1-amd64-1 to 3"));
}

TEST(PlacementPolicy, MemoryCountsOnlyWhereAWorkerAdvertisesIt) {
  FarmRig rig;
  auto spec = SpecOf("reg/app", "linux/amd64");
  spec->memory_bytes = int64_t{8} << 30;
  WorkerHello small = FarmRig::HelloOf("small", 1, {"linux/amd64"});
  small.description.labels = {{"memory", "4096m"}};
  rig.Do(small);
  rig.Submit("j1", spec);
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("small advertises 4096m of memory, less than"));
  EXPECT_THAT(rig.Join("silent", 2, {"linux/amd64"}),
              ElementsAre("greet 2", "offer j1-amd64-1 to 2"));
}

TEST(PlacementPolicy, AProjectRunsNoMoreThanItsLimit) {
  FarmOptions options;
  options.queue.max_running = 2;
  FarmRig rig({}, options);
  rig.Join("w", 1, {"linux/amd64", "linux/386"}, 8);
  for (int j = 1; j <= 4; ++j) rig.Submit(absl::StrCat("j", j), SpecOf("reg/app", "linux/amd64"));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j4"));
  EXPECT_THAT(rig.waiting("j3"), HasSubstr("its project runs 2 builds already"));
  auto other = SpecOf("reg/app", "linux/386");
  other->project = "another";
  EXPECT_THAT(rig.Submit("k1", other), Contains("offer k1-386-1 to 1"));
  rig.Accept(1, "j1-amd64-1");
  EXPECT_THAT(rig.Push(1, "j1-amd64-1"), Contains("offer j3-amd64-1 to 1"));
}

TEST(Forecast, TellsStartAndEndOfWhatWaitsAndRuns) {
  FarmRig rig(After({{"reg/app", "linux/amd64", 10, 0}}));
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", SpecOf("reg/app", "linux/amd64"));
  rig.Accept(1, "j1-amd64-1");
  rig.Submit("j2", SpecOf("reg/app", "linux/amd64"));
  rig.Submit("j3", SpecOf("reg/app", "linux/amd64"));
  const auto minutes = [&](const std::string& job) {
    const BuildExplanation one = rig.Forecast(job);
    return std::make_pair(
        one.predicted_start ? absl::ToInt64Minutes(*one.predicted_start - rig.wall()) : -1,
        one.predicted_finish ? absl::ToInt64Minutes(*one.predicted_finish - rig.wall()) : -1);
  };
  EXPECT_EQ(minutes("j1"), std::make_pair(int64_t{-1}, int64_t{10}));
  EXPECT_EQ(minutes("j2"), std::make_pair(int64_t{10}, int64_t{18}));  // Warm where j1 was.
  EXPECT_GE(minutes("j3").first, 14);
  EXPECT_EQ(rig.Forecast("j2").predicted_worker, "w");
  EXPECT_EQ(rig.Forecast("j3").predicted_worker, "");  // Its turn is not next.
  EXPECT_FALSE(rig.Forecast("j1").time_guessed);
  EXPECT_FALSE(rig.Forecast("j2").start_guessed);
  rig.Submit("k", SpecOf("reg/app", "linux/s390x"));
  EXPECT_EQ(minutes("k"), std::make_pair(int64_t{-1}, int64_t{-1}));
}

TEST(Forecast, SaysWhatIsAGuess) {
  FarmRig rig(After({{"reg/app", "linux/amd64", 10, 0}}));
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("new", SpecOf("reg/new", "linux/amd64"));
  rig.Submit("known", SpecOf("reg/app", "linux/amd64"));
  EXPECT_TRUE(rig.Forecast("new").time_guessed);
  EXPECT_TRUE(rig.Forecast("known").start_guessed);
  EXPECT_FALSE(rig.Forecast("known").time_guessed);
  rig.Cancel("new");
  rig.Gone(1, "new-amd64-1");
  EXPECT_FALSE(rig.Forecast("known").time_guessed);
  rig.Submit("newer", SpecOf("reg/newer", "linux/amd64"));
  EXPECT_FALSE(rig.Forecast("newer").start_guessed);
  EXPECT_TRUE(rig.Forecast("newer").time_guessed);
}

}  // namespace
}  // namespace manyarch::controller::core
