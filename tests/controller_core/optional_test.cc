// Platforms that a list may go without, and jobs that keep going.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

template <typename State, typename Variant>
bool Is(const Variant& state) {
  return std::holds_alternative<State>(state);
}

// amd64 is required, riscv64 is not.
std::shared_ptr<JobSpec> WithOptional() {
  auto spec = FarmRig::Spec({"linux/amd64", "linux/riscv64"});
  spec->platforms[1].optional = true;
  return spec;
}

TEST(Optional, TheListIsPublishedWithoutAPlatformThatFailedAndTheJobSaysSo) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/riscv64*"}, 2);
  rig.Submit("j1", WithOptional());
  rig.Accept(1, "j1-amd64-1");
  rig.Accept(1, "j1-riscv64-1");
  const Failure broke{FailureClass::kUser, "linux/riscv64: it broke", 1, "", {}};
  rig.Do(AttemptFinished{1, {"j1-riscv64-1", broke, 0}});
  EXPECT_TRUE(Is<JobRunning>(rig.job("j1").state));
  rig.Push(1, "j1-amd64-1");
  EXPECT_THAT(rig.Checked("j1-amd64-1"), ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
  rig.Published("j1");
  EXPECT_TRUE(Is<JobSucceeded>(rig.job("j1").state));
  EXPECT_EQ(rig.job("j1").status_reason,
            "published without linux/riscv64, which is optional: it broke");
}

TEST(Optional, TheListWaitsForAnOptionalPlatformThatIsBeingBuilt) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/riscv64*"}, 2);
  rig.Submit("j1", WithOptional());
  rig.Accept(1, "j1-riscv64-1");
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.Pass(absl::Minutes(5), {1}), IsEmpty());
  rig.Push(1, "j1-riscv64-1");
  EXPECT_THAT(rig.Checked("j1-riscv64-1"), ElementsAre(HasSubstr("linux/riscv64=sha256")));
  rig.Published("j1");
  EXPECT_EQ(rig.job("j1").status_reason, "");
}

TEST(Optional, WhatNobodyCanTakeKeepsAFinishedJobForAMinuteAtMost) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", WithOptional());
  // Its clock has run since the beginning: after the others are done it is over.
  rig.Accept(1, "j1-amd64-1");
  rig.Pass(absl::Minutes(2), {1});
  EXPECT_TRUE(Is<BuildWaiting>(rig.build("j1", 1).state));
  rig.Push(1, "j1-amd64-1");
  rig.Checked("j1-amd64-1");
  EXPECT_THAT(rig.Pass(absl::Seconds(1), {1}),
              ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
  rig.Published("j1");
  EXPECT_THAT(rig.job("j1").status_reason, HasSubstr("published without linux/riscv64"));
  EXPECT_THAT(rig.job("j1").status_reason, HasSubstr("no worker offers linux/riscv64"));
}

TEST(Optional, AWorkerThatComesInTimeTakesIt) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", WithOptional());
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.Pass(absl::Seconds(50), {1}), IsEmpty());
  rig.Join("r", 2, {"linux/riscv64"});
  EXPECT_THAT(rig.last(), ElementsAre("greet 2", "offer j1-riscv64-1 to 2"));
  EXPECT_THAT(rig.Pass(absl::Seconds(20), {1, 2}), IsEmpty());
}

TEST(Optional, AJobThatWaitsForEverForWorkersDoesNotForAnOptionalOne) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  auto spec = WithOptional();
  spec->unschedulable_after = absl::ZeroDuration();
  rig.Submit("j1", spec);
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.Pass(absl::Seconds(61), {1}),
              ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
}

TEST(Optional, ARestartForgetsNothingOfIt) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", WithOptional());
  rig.Build(1, "j1-amd64-1");
  FarmRig later(rig.Stored());
  later.Join("w", 2, {"linux/amd64"});
  EXPECT_THAT(later.Pass(absl::Seconds(61), {2}),
              ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
}

TEST(KeepGoing, WhatWaitsIsStillBuiltAfterARequiredPlatformFailed) {
  for (const bool keep_going : {false, true}) {
    FarmRig rig;
    rig.Join("w", 1, {"linux/amd64", "linux/arm64*"});
    auto spec = FarmRig::Spec({"linux/amd64", "linux/arm64"});
    spec->keep_going = keep_going;
    rig.Submit("j1", spec);
    rig.Accept(1, "j1-amd64-1");
    rig.Fail(1, "j1-amd64-1", FailureClass::kUser);
    EXPECT_EQ(Is<JobFailed>(rig.job("j1").state), !keep_going);
    if (!keep_going) continue;
    EXPECT_THAT(rig.last(), ElementsAre("offer j1-arm64-1 to 1 emulated", "ack j1-amd64-1 to 1"));
    rig.Build(1, "j1-arm64-1");
    EXPECT_TRUE(Is<JobFailed>(rig.job("j1").state));
    EXPECT_TRUE(Is<BuildSucceeded>(rig.build("j1", 1).state));
  }
}

}  // namespace
}  // namespace manyarch::controller::core
