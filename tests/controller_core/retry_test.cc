// Jobs that repeat an earlier one, and the times of attempts.
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

// amd64 has an image, arm64 has failed.
class RetryTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig_.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 2);
    rig_.Submit("j1", FarmRig::Spec({"linux/amd64", "linux/arm64"}));
    rig_.Build(1, "j1-amd64-1");
    rig_.Accept(1, "j1-arm64-1");
    rig_.Fail(1, "j1-arm64-1", FailureClass::kUser);
    ASSERT_TRUE(Is<JobFailed>(rig_.job("j1").state));
  }

  static ImageChecked Missing(const std::string& check) {
    Failure failure;
    failure.message = "the registry does not have it";
    return ImageChecked{check, {}, {}, failure};
  }

  FarmRig rig_;
};

TEST_F(RetryTest, AnImageThatIsStillThereIsUsedAgain) {
  EXPECT_THAT(rig_.Retry("j2", rig_.job("j1")),
              ElementsAre("answer 1: j2", "check j2-amd64-0", "offer j2-arm64-1 to 1 emulated"));
  EXPECT_EQ(rig_.job("j2").retry_of, "j1");
  EXPECT_GT(rig_.job("j2").generation, rig_.job("j1").generation);
  rig_.Do(ImageChecked{"j2-amd64-0", {"reg/app", "sha256:j1-amd64-1", 500, "v2s2"}, {}, {}});
  EXPECT_TRUE(Is<BuildSucceeded>(rig_.build("j2", 0).state));
  EXPECT_EQ(rig_.build("j2", 0).reused_from, "j1");
  EXPECT_THAT(rig_.build("j2", 0).attempts, IsEmpty());
  rig_.Accept(1, "j2-arm64-1");
  rig_.Push(1, "j2-arm64-1");
  EXPECT_THAT(
      rig_.Checked("j2-arm64-1"),
      ElementsAre("publish j2 linux/amd64=sha256:j1-amd64-1,linux/arm64=sha256:j2-arm64-1"));
}

TEST_F(RetryTest, AnImageThatIsGoneIsBuiltAnew) {
  rig_.Retry("j2", rig_.job("j1"));
  EXPECT_THAT(rig_.Do(Missing("j2-amd64-0")), ElementsAre("offer j2-amd64-1 to 1"));
  EXPECT_EQ(rig_.build("j2", 0).reused_from, "");
  EXPECT_THAT(rig_.build("j2", 0).warnings,
              ElementsAre("built anew, because the image of job j1 could not be used again: the "
                          "registry does not have it"));
}

TEST_F(RetryTest, ARestartLooksForTheImageAgain) {
  rig_.Retry("j2", rig_.job("j1"));
  FarmRig later(rig_.Stored());
  EXPECT_THAT(later.last(), ElementsAre("check j2-amd64-0"));
}

TEST_F(RetryTest, ACancelledRetryDoesNotCareForTheImageAnyMore) {
  rig_.Retry("j2", rig_.job("j1"));
  rig_.Cancel("j2");
  EXPECT_TRUE(Is<BuildCancelled>(rig_.build("j2", 0).state));
  EXPECT_THAT(rig_.Do(Missing("j2-amd64-0")), IsEmpty());
  EXPECT_TRUE(Is<BuildCancelled>(rig_.build("j2", 0).state));
}

TEST_F(RetryTest, AnImageThatIsGoneIsNotBuiltForAJobThatHasFailedMeanwhile) {
  rig_.Retry("j2", rig_.job("j1"));
  rig_.Accept(1, "j2-arm64-1");
  rig_.Fail(1, "j2-arm64-1", FailureClass::kUser);
  EXPECT_FALSE(IsTerminal(rig_.job("j2").state));
  EXPECT_THAT(rig_.Do(Missing("j2-amd64-0")), IsEmpty());
  EXPECT_TRUE(Is<JobFailed>(rig_.job("j2").state));
}

TEST(Timeline, EveryPhaseOfAnAttemptHasItsTime) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Pass(absl::Seconds(1), {1});
  rig.Accept(1, "j1-amd64-1");
  const auto step = [&](Phase phase) {
    rig.Pass(absl::Seconds(2), {1});
    rig.Do(AttemptProgressed{1, "j1-amd64-1", phase});
  };
  step(Phase::kFetching);
  step(Phase::kBuilding);
  step(Phase::kBuilding);  // Told twice: the first one counts.
  step(Phase::kPushing);
  rig.Pass(absl::Seconds(2), {1});
  rig.Push(1, "j1-amd64-1");
  rig.Pass(absl::Seconds(2), {1});
  rig.Checked("j1-amd64-1");
  const Attempt& attempt = rig.build("j1").attempts[0];
  const auto after = [&](absl::Time time) {
    return absl::ToInt64Seconds(time - attempt.offered_at);
  };
  EXPECT_EQ(after(attempt.accepted_at), 1);
  EXPECT_EQ(after(attempt.building_at), 5);
  EXPECT_EQ(after(attempt.pushing_at), 9);
  EXPECT_EQ(after(attempt.pushed_at), 11);
  EXPECT_EQ(after(attempt.finished_at), 13);
}

}  // namespace
}  // namespace manyarch::controller::core
