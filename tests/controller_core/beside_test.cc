// Hedged builds that run under emulation and natively at the same time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/controller_core/farm_rig.h"
#include "tests/controller_core/known.h"

namespace manyarch::controller::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<JobSpec> Hedged() {
  auto spec = SpecOf("reg/app", "linux/arm64");
  spec->hedge = true;
  return spec;
}

class Hedging : public ::testing::Test {
 protected:
  Hedging() : rig_(After({{"reg/app", "linux/arm64", 10, 80}})) {
    rig_.Join("native", 1, {"linux/arm64"});
    rig_.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
    rig_.Submit("j0", SpecOf("reg/app", "linux/arm64"));
    rig_.Accept(1, "j0-arm64-1");
    for (int j = 1; j <= 3; ++j) {
      rig_.Submit(absl::StrCat("k", j), SpecOf("reg/app", "linux/arm64"));
    }
    rig_.Submit("j1", Hedged());
  }
  FarmRig rig_;
};

TEST_F(Hedging, StartsEmulatedAndAgainNativelyAndTheFirstImageWins) {
  EXPECT_THAT(rig_.last(), ElementsAre("answer 1: j1", "offer j1-arm64-1 to 2 emulated"));
  rig_.Accept(2, "j1-arm64-1");
  rig_.Pass(absl::Minutes(10), {1, 2});
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  EXPECT_THAT(rig_.Push(1, "j0-arm64-1"), Contains("offer j1-arm64-2 to 1"));
  rig_.Accept(1, "j1-arm64-2");
  rig_.Push(1, "j1-arm64-2");
  EXPECT_THAT(rig_.Checked("j1-arm64-2"), Contains("abandon j1-arm64-1 at 2"));
  EXPECT_TRUE(std::holds_alternative<BuildSucceeded>(rig_.build("j1").state));
}

TEST_F(Hedging, AnEmulatedOneThatTakesLongerThanPredictedKeepsNoNativeSlotIdle) {
  rig_.Accept(2, "j1-arm64-1");
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  const double predicted = rig_.build("j1").attempts[0].predicted;
  rig_.Pass(absl::Seconds(predicted) - absl::Minutes(5), {1, 2});
  // Predicted to end five minutes from now, sooner than it could natively.
  EXPECT_THAT(rig_.Push(1, "j0-arm64-1"), Not(Contains(HasSubstr("offer"))));
  EXPECT_THAT(rig_.Pass(absl::Minutes(7), {1, 2}), Contains("offer j1-arm64-2 to 1"));
}

TEST_F(Hedging, ATimeoutUnderEmulationLeavesTheNativeAttemptAlone) {
  rig_.Accept(2, "j1-arm64-1");
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  EXPECT_THAT(rig_.Push(1, "j0-arm64-1"), Contains("offer j1-arm64-2 to 1"));
  rig_.Accept(1, "j1-arm64-2");
  EXPECT_THAT(rig_.Fail(2, "j1-arm64-1", FailureClass::kTimeout),
              Not(Contains(HasSubstr("abandon"))));
  EXPECT_TRUE(std::holds_alternative<BuildRunning>(rig_.build("j1").state));
  rig_.Push(1, "j1-arm64-2");
  rig_.Checked("j1-arm64-2");
  EXPECT_TRUE(std::holds_alternative<BuildSucceeded>(rig_.build("j1").state));
}

TEST_F(Hedging, WhatFailsUnderEmulationAloneMayBeTheEmulatorsFault) {
  rig_.Accept(2, "j1-arm64-1");
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  rig_.Push(1, "j0-arm64-1");
  rig_.Accept(1, "j1-arm64-2");
  rig_.Fail(2, "j1-arm64-1", FailureClass::kUser);
  EXPECT_TRUE(std::holds_alternative<BuildRunning>(rig_.build("j1").state));
  // What fails natively is the build's own fault.
  rig_.Fail(1, "j1-arm64-2", FailureClass::kUser);
  EXPECT_TRUE(std::holds_alternative<BuildFailed>(rig_.build("j1").state));
}

TEST(HedgingWithALimit, ABuildCountsOnceHoweverManyAttemptsItHas) {
  FarmOptions options;
  options.queue.max_running = 2;
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 80}}), options);
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}, 4);
  for (int k = 0; k <= 3; ++k) {
    auto spec = SpecOf("reg/app", "linux/arm64");
    spec->project = "another";
    rig.Submit(absl::StrCat("k", k), spec);
  }
  rig.Accept(1, "k0-arm64-1");
  EXPECT_THAT(rig.Submit("j1", Hedged()), Contains("offer j1-arm64-1 to 2 emulated"));
  EXPECT_THAT(rig.Submit("j2", Hedged()), Contains("offer j2-arm64-1 to 2 emulated"));
  rig.Accept(2, "j1-arm64-1");
  rig.Accept(2, "j2-arm64-1");
  EXPECT_THAT(rig.Submit("j3", Hedged()), ElementsAre("answer 1: j3"));
  for (const std::string job : {"k1", "k2", "k3"}) rig.Cancel(job);
  EXPECT_THAT(rig.Push(1, "k0-arm64-1"), Contains("offer j1-arm64-2 to 1"));
}

TEST(HedgingOfMany, AllStartEmulatedHoweverManySlotsComeLater) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 10, 80}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Submit("j0", SpecOf("reg/app", "linux/arm64"));
  rig.Accept(1, "j0-arm64-1");
  for (int j = 1; j <= 100; ++j) rig.Submit(absl::StrCat("h", j), Hedged());
  const FarmRig::Lines offers = rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}, 100);
  // The native turn of the first ones is near.
  EXPECT_GE(std::count_if(offers.begin(), offers.end(),
                          [](const std::string& line) { return line.starts_with("offer "); }),
            97);
}

TEST_F(Hedging, WhileItRunsItIsSaidThatItWaitsForANativeSlotAsWell) {
  rig_.Accept(2, "j1-arm64-1");
  EXPECT_THAT(rig_.Do(Explain{7, "j1"}),
              ElementsAre(HasSubstr("+ it starts on a native worker as well, predicted in about")));
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  rig_.Push(1, "j0-arm64-1");
  EXPECT_THAT(rig_.Do(Explain{8, "j1"}), ElementsAre(Not(HasSubstr("as well"))));
}

TEST_F(Hedging, TheEmulatedOneMayWinAndNothingIsStartedTwice) {
  rig_.Accept(2, "j1-arm64-1");
  rig_.Push(2, "j1-arm64-1");
  rig_.Checked("j1-arm64-1");
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  EXPECT_THAT(rig_.Push(1, "j0-arm64-1"), Not(Contains(HasSubstr("offer"))));
}

TEST_F(Hedging, WhenTheEmulatedOneFailsTheBuildGoesOnWaitingForTheNativeSlot) {
  rig_.Accept(2, "j1-arm64-1");
  rig_.Fail(2, "j1-arm64-1", FailureClass::kInfrastructure);
  EXPECT_TRUE(std::holds_alternative<BuildWaiting>(rig_.build("j1").state));
  for (const std::string job : {"k1", "k2", "k3"}) rig_.Cancel(job);
  rig_.Pass(absl::Minutes(3), {1, 2});
  EXPECT_THAT(rig_.Push(1, "j0-arm64-1"), Contains("offer j1-arm64-2 to 1"));
}

}  // namespace
}  // namespace manyarch::controller::core
