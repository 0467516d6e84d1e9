// Attempts: retried, lost, found again; one winner.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr absl::Duration kPastRetry = absl::Seconds(10);

TEST(Attempts, AnInfrastructureFailureIsRetriedOnAnotherWorker) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Fail(1, "j1-amd64-1", FailureClass::kInfrastructure);
  EXPECT_THAT(rig.Pass(kPastRetry, {1, 2}), Contains("offer j1-amd64-2 to 2"));
}

TEST(Attempts, TheSameWorkerTriesAgainWhereThereIsNoOther) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Fail(1, "j1-amd64-1", FailureClass::kInfrastructure);
  EXPECT_THAT(rig.Pass(kPastRetry, {1}), Contains("offer j1-amd64-2 to 1"));
}

TEST(Attempts, ThreeAreEnoughAndTheFailureTellsOnceWhatAllCameTo) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  for (const char* id : {"j1-amd64-1", "j1-amd64-2", "j1-amd64-3"}) {
    rig.Accept(1, id);
    rig.Fail(1, id, FailureClass::kInfrastructure);
    rig.Pass(absl::Minutes(2), {1});
  }
  const auto* failed = std::get_if<JobFailed>(&rig.job("j1").state);
  ASSERT_NE(failed, nullptr);
  EXPECT_THAT(failed->failure.message, HasSubstr("gave up after 3 attempts, all: it broke"));
}

TEST(Attempts, FailuresThatDifferAreAllTold) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  for (const char* id : {"j1-amd64-1", "j1-amd64-2", "j1-amd64-3"}) {
    rig.Accept(1, id);
    rig.Do(AttemptFinished{
        1, {id, Failure{FailureClass::kInfrastructure, absl::StrCat(id, " broke"), 0, "", {}}, 0}});
    rig.Pass(absl::Minutes(2), {1});
  }
  const auto* failed = std::get_if<JobFailed>(&rig.job("j1").state);
  ASSERT_NE(failed, nullptr);
  EXPECT_THAT(failed->failure.message,
              HasSubstr("gave up after 3 attempts: attempt 1 on a: j1-amd64-1 broke; attempt 2 on "
                        "a: j1-amd64-2 broke; attempt 3 on a: j1-amd64-3 broke"));
}

TEST(Attempts, ARefusedOfferDoesNotCount) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Do(OfferAnswered{1, "j1-amd64-1", false, "busy"});
  EXPECT_FALSE(rig.build("j1").attempts[0].counts);
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("refused it: busy"));
  EXPECT_THAT(rig.Pass(kPastRetry, {1}), Contains("offer j1-amd64-2 to 1"));
}

TEST(Attempts, AnOfferThatIsNotAnsweredIsWithdrawn) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  const auto lines = rig.Pass(absl::Seconds(35), {1, 2});
  EXPECT_THAT(lines, Contains("abandon j1-amd64-1 at 1"));
  EXPECT_THAT(lines, Contains("offer j1-amd64-2 to 2"));
}

TEST(Attempts, ALostOneMayStillWinAndItsReplacementIsCalledOff) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Do(WorkerGone{1});
  EXPECT_THAT(rig.Pass(absl::Seconds(70), {2}), Contains("offer j1-amd64-2 to 2"));
  EXPECT_TRUE(std::holds_alternative<AttemptLost>(rig.build("j1").attempts[0].state));
  rig.Accept(2, "j1-amd64-2");
  // It comes back, still building: both go on.
  WorkerHello hello = FarmRig::HelloOf("a", 3, {"linux/amd64"});
  hello.running = {{"j1-amd64-1", Phase::kBuilding}};
  EXPECT_THAT(rig.Do(hello), ElementsAre("greet 3, j1-amd64-1 go on"));
  rig.Push(3, "j1-amd64-1");
  const auto lines = rig.Checked("j1-amd64-1");
  EXPECT_THAT(lines, Contains("abandon j1-amd64-2 at 2"));
  EXPECT_THAT(lines, Contains("publish j1 linux/amd64=sha256:j1-amd64-1"));
  // The other one's image is too late, whatever it is.
  EXPECT_THAT(rig.Push(2, "j1-amd64-2"), ElementsAre("ack j1-amd64-2 to 2"));
}

TEST(Attempts, AResultFromBeforeTheLossIsTakenOnReconnecting) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Do(WorkerGone{1});
  rig.Pass(absl::Seconds(70));
  WorkerHello hello = FarmRig::HelloOf("a", 2, {"linux/amd64"});
  hello.finished = {{"j1-amd64-1", Image{"reg/app", "sha256:x", 0, ""}, 0}};
  EXPECT_THAT(rig.Do(hello), ElementsAre("greet 2, j1-amd64-1 acknowledged", "check j1-amd64-1"));
}

TEST(Attempts, AWorkerThatRestartedWithoutItLosesItAtOnce) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Do(WorkerGone{1});
  WorkerHello hello = FarmRig::HelloOf("a", 3, {"linux/amd64"});
  hello.incarnation = "a-2";
  EXPECT_THAT(rig.Do(hello), ElementsAre("greet 3", "offer j1-amd64-2 to 2"));
  EXPECT_TRUE(rig.build("j1").attempts[0].counts);
}

TEST(Attempts, HandedBackOnesDoNotCount) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  EXPECT_THAT(rig.Do(WorkerDrains{1, {"j1-amd64-1"}}), ElementsAre("offer j1-amd64-2 to 2"));
  EXPECT_FALSE(rig.build("j1").attempts[0].counts);
}

TEST(Attempts, AnImageThatIsNotWhatItShouldBeFailsTheBuild) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/arm64"});
  rig.Submit("j1", FarmRig::Spec({"linux/arm64"}));
  rig.Accept(1, "j1-arm64-1");
  rig.Push(1, "j1-arm64-1");
  rig.Do(ImageChecked{
      "j1-arm64-1", {}, {}, Failure{FailureClass::kUser, "it is for amd64", 0, "", {}}});
  ASSERT_TRUE(std::holds_alternative<JobFailed>(rig.job("j1").state));
  EXPECT_EQ(rig.farm().FindTag("reg/app:v1"), nullptr);
}

TEST(Attempts, WarningsOfTheWorkerAreTheBuildsOnceItHasWon) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Do(AttemptFinished{
      1, {"j1-amd64-1", Image{"reg/app", "sha256:x", 0, ""}, 0, {"a program for arm64"}}});
  EXPECT_THAT(rig.build("j1").warnings, IsEmpty());
  rig.Do(ImageChecked{"j1-amd64-1", Image{"reg/app", "sha256:x", 5, "v2s2"}, {"odd variant"}, {}});
  EXPECT_THAT(rig.build("j1").warnings, ElementsAre("a program for arm64", "odd variant"));
}

TEST(Attempts, AnUnknownOneIsAbandonedAndItsResultAcknowledged) {
  FarmRig rig;
  WorkerHello hello = FarmRig::HelloOf("a", 1, {"linux/amd64"}, 2);
  hello.running = {{"jx-amd64-1", Phase::kBuilding}};
  hello.finished = {{"jy-amd64-1", AttemptCancelled{}, 0}};
  EXPECT_THAT(rig.Do(hello), ElementsAre("greet 1, jx-amd64-1 abandon, jy-amd64-1 acknowledged"));
  // It holds its slot until the worker says that it is gone.
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), Contains("offer j1-amd64-1 to 1"));
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j2"));
  EXPECT_THAT(rig.Gone(1, "jx-amd64-1"),
              ElementsAre("offer j2-amd64-1 to 1", "ack jx-amd64-1 to 1"));
}

TEST(Attempts, AWorkerThatDoesNotEnforceTheTimeoutIsOverruled) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->build_timeout = absl::Minutes(1);
  rig.Submit("j1", spec);
  rig.Accept(1, "j1-amd64-1");
  rig.SetWallClock(absl::Hours(9));  // Somebody sets the clock: nothing may follow from that.
  EXPECT_THAT(rig.Pass(absl::Minutes(5), {1}), IsEmpty());
  EXPECT_THAT(rig.Pass(absl::Minutes(2), {1}), Contains("abandon j1-amd64-1 at 1"));
  const auto* failed = std::get_if<JobFailed>(&rig.job("j1").state);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->failure.cls, FailureClass::kTimeout);
}

TEST(Attempts, AFoundOneIsNotTimedOutBecauseTheWallClockWasSet) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Pass(absl::Seconds(65));
  rig.SetWallClock(absl::Hours(9));
  WorkerHello hello = FarmRig::HelloOf("a", 2, {"linux/amd64"});
  hello.running = {{"j1-amd64-1", Phase::kBuilding}};
  rig.Do(hello);
  EXPECT_THAT(rig.Pass(absl::Minutes(5), {2}), IsEmpty());
}

TEST(Attempts, ARepeatedResultChangesNothing) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.Push(1, "j1-amd64-1"), ElementsAre("ack j1-amd64-1 to 1"));
  EXPECT_THAT(rig.Fail(1, "j1-amd64-1", FailureClass::kUser), ElementsAre("ack j1-amd64-1 to 1"));
  EXPECT_TRUE(std::holds_alternative<JobPublishing>(rig.job("j1").state));
}

}  // namespace
}  // namespace manyarch::controller::core
