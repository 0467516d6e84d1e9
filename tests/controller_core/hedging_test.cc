// Hedged builds that started under emulation because there was no native worker, and what becomes
// of them once there is one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

// Builds of reg/app take ten minutes natively and eighty under emulation.
FarmState Known() {
  Estimates past;
  const absl::Time then = absl::UnixEpoch() + absl::Hours(10);
  const BuildKind kind{"reg/app", "", FarmRig::P("linux/arm64")};
  past.Succeeded(kind, "old", false, absl::Minutes(10), then);
  past.Succeeded(kind, "other", true, absl::Minutes(80), then);
  FarmState state;
  state.estimates.emplace_back(kind, *past.Find(kind));
  return state;
}

std::shared_ptr<JobSpec> Hedged(bool hedge = true) {
  auto spec = FarmRig::Spec({"linux/arm64"});
  spec->hedge = hedge;
  return spec;
}

// "j" is being emulated; no native worker has ever been there.
class ANativeWorkerThatComesLater : public ::testing::Test {
 protected:
  ANativeWorkerThatComesLater() : rig_(Known()) {
    rig_.Join("emulating", 1, {"linux/amd64", "linux/arm64*"}, 2);
  }
  void Start(std::shared_ptr<JobSpec> spec = Hedged()) {
    EXPECT_THAT(rig_.Submit("j", std::move(spec)), Contains("offer j-arm64-1 to 1 emulated"));
    rig_.Accept(1, "j-arm64-1");
    rig_.Pass(absl::Minutes(5), {1});
  }
  FarmRig::Lines NativeComes() { return rig_.Join("native", 2, {"linux/arm64"}); }
  FarmRig rig_;
};

TEST_F(ANativeWorkerThatComesLater, GetsTheHedgedBuildAsWellAndTheFirstImageWins) {
  Start();
  EXPECT_THAT(rig_.Do(Explain{7, "j"}),
              ElementsAre(HasSubstr("it starts on a native worker as well once one is")));
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2", "offer j-arm64-2 to 2"));
  rig_.Accept(2, "j-arm64-2");
  EXPECT_THAT(rig_.Do(Explain{8, "j"}), ElementsAre(Not(HasSubstr("as well"))));
  rig_.Push(2, "j-arm64-2");
  EXPECT_THAT(rig_.Checked("j-arm64-2"), Contains("abandon j-arm64-1 at 1"));
  EXPECT_TRUE(std::holds_alternative<BuildSucceeded>(rig_.build("j").state));
}

TEST_F(ANativeWorkerThatComesLater, LosesToTheEmulatedAttemptThatEndsFirst) {
  Start();
  NativeComes();
  rig_.Accept(2, "j-arm64-2");
  rig_.Push(1, "j-arm64-1");
  EXPECT_THAT(rig_.Checked("j-arm64-1"), Contains("abandon j-arm64-2 at 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsNothingThatWasNotToBeHedged) {
  Start(Hedged(false));
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsNothingThatIsPredictedToEndSoonerAsItIs) {
  Start();
  rig_.Pass(absl::Minutes(69), {1});
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsWhatIsPredictedToEndALittleLaterAsItIs) {
  Start();
  rig_.Pass(absl::Minutes(63), {1});
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2", "offer j-arm64-2 to 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsNothingThatHasEnded) {
  Start();
  rig_.Build(1, "j-arm64-1");
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsNothingThatMayNotBeTriedTwiceMore) {
  auto spec = Hedged();
  spec->max_attempts = 2;
  rig_.Submit("j", spec);
  rig_.Accept(1, "j-arm64-1");
  rig_.Fail(1, "j-arm64-1", FailureClass::kInfrastructure);
  rig_.Pass(absl::Minutes(2), {1});
  rig_.Accept(1, "j-arm64-2");
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsTheFirstTwoAttemptsOfTwo) {
  auto spec = Hedged();
  spec->max_attempts = 2;
  Start(spec);
  EXPECT_THAT(NativeComes(), Contains("offer j-arm64-2 to 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsItOnceItsSlotIsFree) {
  auto waits = Hedged(false);
  waits->emulation = Emulation::kNever;
  rig_.Submit("before", waits);
  Start();
  EXPECT_THAT(NativeComes(), ElementsAre("greet 2", "offer before-arm64-1 to 2"));
  rig_.Accept(2, "before-arm64-1");
  EXPECT_THAT(rig_.Do(Explain{7, "j"}),
              ElementsAre(HasSubstr("it starts on a native worker as well, predicted in about")));
  EXPECT_THAT(rig_.Push(2, "before-arm64-1"), Contains("offer j-arm64-2 to 2"));
}

TEST_F(ANativeWorkerThatComesLater, AndGoesAgainLeavesTheBuildToTheOneThatEmulatesIt) {
  auto waits = Hedged(false);
  waits->emulation = Emulation::kNever;
  rig_.Submit("before", waits);
  Start();
  NativeComes();
  rig_.Accept(2, "before-arm64-1");
  rig_.Do(WorkerGone{2});
  // There is a second slot that could emulate it, which is not taken.
  EXPECT_THAT(rig_.Pass(absl::Minutes(10), {1}), Not(Contains(HasSubstr("offer j"))));
  EXPECT_THAT(rig_.Do(Explain{7, "j"}),
              ElementsAre(HasSubstr("it starts on a native worker as well once one is")));
  rig_.Cancel("before");
  EXPECT_THAT(rig_.Join("native", 3, {"linux/arm64"}), Contains("offer j-arm64-2 to 3"));
}

TEST_F(ANativeWorkerThatComesLater, BetweenOfferAndAnswerGetsItAsWell) {
  rig_.Submit("j", Hedged());
  NativeComes();
  rig_.Accept(1, "j-arm64-1");
  EXPECT_THAT(rig_.Pass(absl::Seconds(31), {1, 2}), Contains("offer j-arm64-2 to 2"));
}

TEST_F(ANativeWorkerThatComesLater, GetsItAfterARestartOfTheController) {
  Start();
  for (const bool native_first : {false, true}) {
    FarmState stored = rig_.Stored();
    stored.estimates = Known().estimates;
    FarmRig again(std::move(stored));
    FarmRig::Lines lines;
    if (native_first) lines = again.Join("native", 2, {"linux/arm64"});
    WorkerHello back = FarmRig::HelloOf("emulating", 1, {"linux/amd64", "linux/arm64*"}, 2);
    back.running = {{"j-arm64-1", Phase::kBuilding}};
    EXPECT_THAT(again.Do(back), Contains("greet 1, j-arm64-1 go on"));
    if (!native_first) lines = again.Join("native", 2, {"linux/arm64"});
    EXPECT_THAT(lines, Contains("offer j-arm64-2 to 2")) << native_first;
  }
}

}  // namespace
}  // namespace manyarch::controller::core
