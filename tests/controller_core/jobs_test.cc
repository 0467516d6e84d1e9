// Jobs from submission to their end.
#include "absl/strings/match.h"
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

template <typename State>
bool Is(const JobState& state) {
  return std::holds_alternative<State>(state);
}

TEST(Jobs, SubmitAndAssignAreOneStepWhereASlotIsFree) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  EXPECT_THAT(rig.Submit("j1", FarmRig::Spec({"linux/amd64"})),
              ElementsAre("answer 1: j1", "offer j1-amd64-1 to 1"));
  EXPECT_THAT(rig.touched(), ElementsAre("j1"));
}

TEST(Jobs, ABuildGoesFromOfferToAPublishedList) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 2);
  rig.Submit("j1", FarmRig::Spec({"linux/amd64", "linux/arm64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1", "offer j1-amd64-1 to 1",
                                      "offer j1-arm64-1 to 1 emulated"));
  EXPECT_TRUE(Is<JobQueued>(rig.job("j1").state));
  rig.Accept(1, "j1-amd64-1");
  EXPECT_TRUE(Is<JobRunning>(rig.job("j1").state));
  rig.Accept(1, "j1-arm64-1");
  EXPECT_THAT(rig.Push(1, "j1-amd64-1"), ElementsAre("check j1-amd64-1", "ack j1-amd64-1 to 1"));
  EXPECT_THAT(rig.Checked("j1-amd64-1"), IsEmpty());
  rig.Push(1, "j1-arm64-1");
  EXPECT_THAT(
      rig.Checked("j1-arm64-1"),
      ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1,linux/arm64=sha256:j1-arm64-1"));
  EXPECT_TRUE(Is<JobPublishing>(rig.job("j1").state));
  rig.Published("j1");
  EXPECT_TRUE(Is<JobSucceeded>(rig.job("j1").state));
  EXPECT_TRUE(rig.job("j1").tags[0].written);
}

TEST(Jobs, OneKeyMakesOneJob) {
  FarmRig rig;
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}), "key");
  EXPECT_THAT(rig.Submit("j2", FarmRig::Spec({"linux/amd64"}), "key"),
              ElementsAre("answer 1: j1 again"));
  EXPECT_THAT(rig.Submit("j3", FarmRig::Spec({"linux/arm64"}), "key", "other hash"),
              ElementsAre(HasSubstr("belongs to job j1")));
  EXPECT_EQ(rig.farm().FindJob("j2"), nullptr);
  EXPECT_EQ(rig.farm().FindJob("j3"), nullptr);
}

TEST(Jobs, AKeyIsStillKnownShortlyAfterItsJobIsForgotten) {
  FarmRig rig;
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}), "key");
  rig.Cancel("j1");
  rig.farm().Forget("j1");
  EXPECT_EQ(rig.farm().FindJob("j1"), nullptr);
  EXPECT_THAT(rig.Submit("j2", FarmRig::Spec({"linux/amd64"}), "key"),
              ElementsAre("answer 1: j1 again"));
}

TEST(Jobs, AUserFailureIsNotRetriedAndKeepsWhatRuns) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 2);
  rig.Submit("j1", FarmRig::Spec({"linux/amd64", "linux/arm64", "linux/s390x"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Accept(1, "j1-arm64-1");
  EXPECT_THAT(rig.Fail(1, "j1-arm64-1", FailureClass::kUser), ElementsAre("ack j1-arm64-1 to 1"));
  EXPECT_TRUE(std::holds_alternative<BuildCancelled>(rig.build("j1", 2).state));
  EXPECT_TRUE(Is<JobRunning>(rig.job("j1").state));
  rig.Push(1, "j1-amd64-1");
  EXPECT_THAT(rig.Checked("j1-amd64-1"), IsEmpty());
  ASSERT_TRUE(Is<JobFailed>(rig.job("j1").state));
  EXPECT_EQ(std::get<JobFailed>(rig.job("j1").state).failure.cls, FailureClass::kUser);
  // Its digest is kept, and no tag was touched.
  EXPECT_TRUE(std::holds_alternative<BuildSucceeded>(rig.build("j1", 0).state));
  EXPECT_EQ(rig.farm().FindTag("reg/app:v1"), nullptr);
}

TEST(Jobs, AnOptionalPlatformThatFailsIsLeftOutOfTheList) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 2);
  auto spec = FarmRig::Spec({"linux/amd64", "linux/arm64"});
  spec->platforms[1].optional = true;
  rig.Submit("j1", spec);
  rig.Accept(1, "j1-arm64-1");
  rig.Fail(1, "j1-arm64-1", FailureClass::kUser);
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.last(), ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
}

TEST(Jobs, CancellingStopsEverythingAndSaysSoTwice) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64", "linux/arm64"}));
  rig.Accept(1, "j1-amd64-1");
  EXPECT_THAT(rig.Cancel("j1"), ElementsAre("abandon j1-amd64-1 at 1", "answer 2: j1"));
  EXPECT_TRUE(Is<JobCancelled>(rig.job("j1").state));
  EXPECT_THAT(rig.Cancel("j1"), ElementsAre("answer 2: j1"));
  // Its result comes too late; the slot is free only now.
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j2"));
  EXPECT_THAT(rig.Push(1, "j1-amd64-1"),
              ElementsAre("offer j2-amd64-1 to 1", "ack j1-amd64-1 to 1"));
}

TEST(Jobs, CancellingIsRefusedOncePublishingHasBegun) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.Cancel("j1"), ElementsAre(HasSubstr("too late to cancel")));
  rig.Published("j1");
  EXPECT_THAT(rig.Cancel("j1"), ElementsAre(HasSubstr("already finished")));
}

TEST(Jobs, AnEarlierJobNeverOverwritesALaterOne) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 2);
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j2-amd64-1");
  rig.Published("j2");
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.last(), IsEmpty());
  ASSERT_TRUE(Is<JobSuperseded>(rig.job("j1").state));
  EXPECT_THAT(rig.job("j1").tags[0].note, HasSubstr("j2"));
  EXPECT_TRUE(std::holds_alternative<BuildSucceeded>(rig.build("j1").state));
}

TEST(Jobs, OneTagHasOneWriterAtATime) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 2);
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  rig.Build(1, "j2-amd64-1");
  EXPECT_THAT(rig.last(), IsEmpty());
  EXPECT_THAT(rig.job("j2").status_reason, HasSubstr("waiting for job j1"));
  EXPECT_THAT(rig.Published("j1"), ElementsAre("publish j2 linux/amd64=sha256:j2-amd64-1"));
}

TEST(Jobs, ATagThatIsNewerElsewhereDoesNotKeepTheOthersBack) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 2);
  auto both = FarmRig::Spec({"linux/amd64"}, "v1");
  both->tags.push_back({"reg/app", "latest"});
  rig.Submit("j1", both);
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}, "latest"));
  rig.Build(1, "j2-amd64-1");
  rig.Published("j2");
  rig.Build(1, "j1-amd64-1");
  rig.Published("j1");
  EXPECT_TRUE(Is<JobSucceeded>(rig.job("j1").state));
  EXPECT_TRUE(rig.job("j1").tags[0].written);
  EXPECT_FALSE(rig.job("j1").tags[1].written);
  EXPECT_THAT(rig.job("j1").tags[1].note, HasSubstr("j2"));
}

TEST(Jobs, APublishThatFailsSaysWhichTagsMoved) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  rig.Published("j1", absl::UnavailableError("the registry is down"));
  ASSERT_TRUE(Is<JobFailed>(rig.job("j1").state));
  EXPECT_EQ(std::get<JobFailed>(rig.job("j1").state).failure.message, "the registry is down");
  EXPECT_FALSE(rig.job("j1").tags[0].written);
}

TEST(Jobs, ImagesAreAnchoredBeforeTheListIsPublished) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm/v7*"}, 2);
  auto spec = FarmRig::Spec({"linux/amd64", "linux/arm/v7"});
  spec->arch_tag_template = "{tag}-{arch}";
  rig.Submit("j1", spec);
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.last(), ElementsAre("anchor reg/app:v1-amd64"));
  rig.Build(1, "j1-armv7-1");
  EXPECT_THAT(rig.last(), ElementsAre("anchor reg/app:v1-armv7"));
  EXPECT_THAT(rig.Do(AnchorFinished{"j1", FarmRig::P("linux/amd64"), absl::OkStatus()}), IsEmpty());
  EXPECT_THAT(rig.Do(AnchorFinished{"j1", FarmRig::P("linux/arm/v7"), absl::UnknownError("no")}),
              Contains(HasSubstr("publish j1")));
  EXPECT_THAT(rig.build("j1", 1).warnings, ElementsAre(HasSubstr("not written: no")));
}

TEST(Jobs, AnEarlierJobAnchorsNothingOverALaterOne) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 2);
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->arch_tag_template = "{tag}-{arch}";
  rig.Submit("j1", spec);
  rig.Submit("j2", spec);
  rig.Build(1, "j2-amd64-1");
  EXPECT_THAT(rig.last(), ElementsAre("anchor reg/app:v1-amd64"));
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.last(), Not(Contains(HasSubstr("anchor"))));
}

TEST(Jobs, EveryRepositoryIsAnchoredAndPublishedFromTheFirstOnes) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/arm/v6"});
  auto spec = FarmRig::Spec({"linux/arm/v6"});
  spec->arch_tag_template = "{tag}-{arch}";
  spec->tags.push_back({"mirror/app", "latest"});
  spec->immutable = true;
  rig.Submit("j1", spec);
  rig.Build(1, "j1-armv6-1");
  EXPECT_THAT(rig.last(), ElementsAre("anchor reg/app:v1-armv6 mirror/app:latest-armv6 immutable"));
  EXPECT_THAT(rig.Do(AnchorFinished{"j1", FarmRig::P("linux/arm/v6"), absl::OkStatus()}),
              ElementsAre("publish j1 linux/arm/v6=sha256:j1-armv6-1 from reg/app to reg/app:v1 "
                          "mirror/app:latest immutable"));
  rig.Published("j1");
  EXPECT_TRUE(rig.job("j1").tags[1].written);
}

TEST(Jobs, ATagThatIsNewerInOneRepositoryDoesNotKeepTheOtherBack) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 2);
  auto both = FarmRig::Spec({"linux/amd64"});
  both->tags.push_back({"mirror/app", "v1"});
  rig.Submit("j1", both);
  auto mirror = FarmRig::Spec({"linux/amd64"});
  mirror->tags = {{"mirror/app", "v1"}};
  rig.Submit("j2", mirror);
  rig.Build(1, "j2-amd64-1");
  rig.Published("j2");
  rig.Build(1, "j1-amd64-1");
  EXPECT_THAT(rig.last(), ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1"));
  rig.Published("j1");
  EXPECT_TRUE(rig.job("j1").tags[0].written);
  EXPECT_THAT(rig.job("j1").tags[1].note, HasSubstr("j2"));
}

TEST(Jobs, TheFormatDecidesWhatTheListIs) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->format = ImageFormat::kOci;
  rig.Submit("j1", spec);
  rig.Build(1, "j1-amd64-1");
  EXPECT_EQ(std::get<JobPublishing>(rig.job("j1").state).intent.media_type, "oci-index");
}

TEST(Jobs, AnImmutableTagThatPointsElsewhereIsNoFaultOfTheRegistrys) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  rig.Published("j1", absl::AlreadyExistsError("it points elsewhere"));
  EXPECT_EQ(std::get<JobFailed>(rig.job("j1").state).failure.cls, FailureClass::kUser);
}

// So that nobody looks for credentials of the many jobs that have none.
TEST(Jobs, WhatIsDoneInRegistriesSaysWhetherTheJobHasSealedValues) {
  for (const bool sealed : {false, true}) {
    FarmRig rig;
    rig.Join("w", 1, {"linux/amd64"});
    auto spec = FarmRig::Spec({"linux/amd64"});
    spec->arch_tag_template = "{tag}-{arch}";
    if (sealed) spec->sealed = {{"authfile", "sealed bytes"}};
    rig.Submit("j1", spec);
    rig.Accept(1, "j1-amd64-1");
    FarmRig::Lines lines = rig.Push(1, "j1-amd64-1");
    for (const std::string& line : rig.Checked("j1-amd64-1")) lines.push_back(line);
    for (const std::string& line : rig.Do(AnchorFinished{"j1", FarmRig::P("linux/amd64"), {}})) {
      lines.push_back(line);
    }
    int told = 0;
    for (const std::string& line : lines) {
      const bool in_registry = absl::StartsWith(line, "check ") ||
                               absl::StartsWith(line, "anchor ") ||
                               absl::StartsWith(line, "publish ");
      if (!in_registry) continue;
      ++told;
      EXPECT_EQ(absl::EndsWith(line, " sealed"), sealed) << line;
    }
    EXPECT_EQ(told, 3);
  }
}

TEST(Jobs, WhatIsCopiedIsTheJobsReasonUntilItIsOver) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j1-amd64-1");
  rig.Do(PublishProgressed{"j1", "copying 1 of 2 MiB"});
  EXPECT_EQ(rig.job("j1").status_reason, "copying 1 of 2 MiB");
  EXPECT_THAT(rig.touched(), IsEmpty()) << "not worth a sync";
  rig.Do(PublishProgressed{"j1", ""});
  EXPECT_EQ(rig.job("j1").status_reason, "");
  rig.Published("j1");
  rig.Do(PublishProgressed{"j1", "late"});
  EXPECT_EQ(rig.job("j1").status_reason, "");
}

}  // namespace
}  // namespace manyarch::controller::core
