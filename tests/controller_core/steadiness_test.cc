// What workers that are lost again and again are given.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<JobSpec> SpecOf(const std::string& repository) {
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->tags = {{repository, "v1"}};
  return spec;
}

// Builds of reg/long take two hours, those of reg/short a minute.
FarmState Known() {
  Estimates past;
  const absl::Time then = absl::UnixEpoch() + absl::Hours(10);
  past.Succeeded({"reg/long", "", FarmRig::P("linux/amd64")}, "old", false, absl::Hours(2), then);
  past.Succeeded({"reg/short", "", FarmRig::P("linux/amd64")}, "old", false, absl::Minutes(1),
                 then);
  FarmState state;
  for (const BuildKind& kind : past.TakeChanged()) {
    state.estimates.emplace_back(kind, *past.Find(kind));
  }
  return state;
}

// "steady" is busy with a short build; "flapping" was lost once, and is there again.
class Steadiness : public ::testing::Test {
 protected:
  Steadiness() : rig_(Known()) {
    rig_.Join("steady", 1, {"linux/amd64"});
    rig_.Submit("first", SpecOf("reg/short"));
    rig_.Accept(1, "first-amd64-1");
    rig_.Join("flapping", 2, {"linux/amd64"});
    Lose(2);
    rig_.Join("flapping", 3, {"linux/amd64"});
  }
  void Lose(uint64_t session) {
    rig_.Do(WorkerGone{session});
    rig_.Pass(absl::Minutes(2), {1});
  }
  FarmRig rig_;
};

TEST_F(Steadiness, ALongBuildWaitsForASteadyWorkerAndAShortOneDoesNot) {
  EXPECT_THAT(rig_.Submit("long", SpecOf("reg/long")), ElementsAre("answer 1: long"));
  EXPECT_THAT(rig_.waiting("long"), HasSubstr("flapping (0 of 1 slot taken, lost 1 time within a"));
  EXPECT_THAT(rig_.Do(Explain{9, "long", false}),
              ElementsAre(HasSubstr("+flapping: it could take it: 0 of 1 slot taken; it was lost 1 "
                                    "time within a day: long builds are rather left to steadier "
                                    "ones")));
  EXPECT_THAT(rig_.Submit("short", SpecOf("reg/short")), Contains("offer short-amd64-1 to 3"));
  EXPECT_THAT(rig_.Push(1, "first-amd64-1"), Contains("offer long-amd64-1 to 1"));
}

TEST_F(Steadiness, WhereNoneIsSteadierALongBuildGoesWhereItCan) {
  rig_.Admit("steady", Admission::kCordoned, "to be repaired");
  EXPECT_THAT(rig_.Submit("long", SpecOf("reg/long")), Contains("offer long-amd64-1 to 3"));
}

TEST_F(Steadiness, ALongBuildThatHasFailedOnTheSteadyOneDoesNotWaitForIt) {
  rig_.Push(1, "first-amd64-1");
  EXPECT_THAT(rig_.Submit("long", SpecOf("reg/long")), Contains("offer long-amd64-1 to 1"));
  rig_.Accept(1, "long-amd64-1");
  rig_.Fail(1, "long-amd64-1", FailureClass::kInfrastructure);
  EXPECT_THAT(rig_.Pass(absl::Minutes(1), {1, 3}), Contains("offer long-amd64-2 to 3"));
}

TEST_F(Steadiness, ALongBuildWaitsNoLongerThanLossesWouldCost) {
  // Ten hours of other work come first on the steady worker; losing minutes again and again on the
  // other one is quicker where builds are short, and the longest go last there.
  rig_.Submit("half", SpecOf("reg/short"));
  rig_.Accept(3, "half-amd64-1");
  for (int j = 1; j <= 3; ++j) rig_.Submit(absl::StrCat("l", j), SpecOf("reg/long"));
  rig_.Submit("s", SpecOf("reg/short"));
  EXPECT_THAT(rig_.Push(3, "half-amd64-1"), Contains("offer s-amd64-1 to 3"));
}

TEST_F(Steadiness, ALongBuildThatHasWaitedForMaxOvertakeIsNotOvertakenThere) {
  rig_.Submit("long", SpecOf("reg/long"));
  EXPECT_THAT(rig_.Pass(absl::Minutes(31), {1, 3}), Not(Contains(HasSubstr("offer"))));
  EXPECT_THAT(rig_.Submit("short", SpecOf("reg/short")),
              ElementsAre("answer 1: short", "offer long-amd64-1 to 3"));
}

TEST_F(Steadiness, ALongBuildThatWasLostWaitsOnWhileShortOnesStart) {
  rig_.Join("flapping too", 4, {"linux/amd64"});
  rig_.Do(WorkerGone{4});
  rig_.Pass(absl::Minutes(2), {1, 3});
  rig_.Submit("long", SpecOf("reg/long"));
  rig_.Pass(absl::Minutes(31), {1, 3});
  rig_.Submit("short1", SpecOf("reg/short"));
  rig_.Accept(3, "long-amd64-1");
  Lose(3);
  rig_.Join("flapping too", 5, {"linux/amd64"});
  EXPECT_THAT(rig_.last(), Contains("offer short1-amd64-1 to 5"));
  EXPECT_TRUE(std::holds_alternative<BuildWaiting>(rig_.build("long").state));
  EXPECT_THAT(rig_.Push(1, "first-amd64-1"), Contains("offer long-amd64-2 to 1"));
}

TEST_F(Steadiness, ShortBuildsAreFoundBehindAnyNumberOfLongOnes) {
  rig_.Submit("half", SpecOf("reg/short"));
  rig_.Accept(3, "half-amd64-1");
  for (int j = 1; j <= 40; ++j) {
    auto spec = SpecOf("reg/long");
    spec->priority = 1;
    rig_.Submit(absl::StrCat("l", j), spec);
  }
  rig_.Submit("s", SpecOf("reg/short"));
  EXPECT_THAT(rig_.Push(3, "half-amd64-1"), Contains(HasSubstr(" to 3")));
}

TEST(SteadinessUnderALimit, WhatHasWaitedGetsTheSteadySlotBeforeLaterOnesGetTheOthers) {
  FarmOptions options;
  options.queue.max_running = 1;
  options.queue.max_overtake = absl::Minutes(10);
  FarmRig rig(Known(), options);
  rig.Join("flapping", 1, {"linux/amd64", "linux/386"});
  rig.Do(WorkerGone{1});
  rig.Pass(absl::Minutes(2));
  rig.Join("flapping", 2, {"linux/amd64", "linux/386"});
  rig.Join("steady", 3, {"linux/amd64", "linux/riscv64"});
  rig.Submit("first", SpecOf("reg/short"));
  rig.Accept(3, "first-amd64-1");
  rig.Submit("long", SpecOf("reg/long"));
  rig.Pass(absl::Minutes(11), {2, 3});
  rig.Submit("later", FarmRig::Spec({"linux/386"}));
  EXPECT_THAT(rig.Push(3, "first-amd64-1"), Contains("offer long-amd64-1 to 3"));
}

TEST_F(Steadiness, ALossIsForgottenAfterADay) {
  rig_.Pass(absl::Hours(25), {1, 3});
  EXPECT_THAT(rig_.Submit("long", SpecOf("reg/long")), Contains("offer long-amd64-1 to 3"));
}

TEST_F(Steadiness, AWorkerThatStopsOnPurposeIsNotLost) {
  rig_.Join("polite", 5, {"linux/386"});
  rig_.Do(WorkerDrains{5, {}});
  Lose(5);
  EXPECT_TRUE(std::holds_alternative<WorkerLost>(rig_.farm().FindWorker("polite")->state));
  EXPECT_TRUE(rig_.farm().FindWorker("polite")->lost_at.empty());
}

TEST_F(Steadiness, ComingBackWithoutWhatItRanIsALossToo) {
  rig_.Submit("short", SpecOf("reg/short"));
  rig_.Accept(3, "short-amd64-1");
  rig_.Do(WorkerGone{3});
  rig_.Join("flapping", 4, {"linux/amd64"});
  EXPECT_EQ(rig_.farm().FindWorker("flapping")->lost_at.size(), 2u);
}

TEST_F(Steadiness, IsKnownAfterARestartOfTheController) {
  FarmRig again(rig_.Stored());
  again.Join("steady", 1, {"linux/amd64"});
  again.Join("flapping", 2, {"linux/amd64"});
  again.Submit("busy", SpecOf("reg/short"));
  EXPECT_THAT(again.Submit("long", SpecOf("reg/long")),
              Not(Contains(HasSubstr("offer long-amd64-1 to 2"))));
}

}  // namespace
}  // namespace manyarch::controller::core
