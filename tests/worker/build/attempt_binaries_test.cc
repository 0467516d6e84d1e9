// Programs of another architecture in images that the real buildah has built.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/match.h"
#include "tests/worker/build/attempt_rig.h"
#include "worker/build/attempt_runner.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

std::string Program(const std::string& arch) { return TinyProgram({"linux", arch, ""}, 0); }

class AttemptBinariesTest : public ::testing::TestWithParam<IsolationChoice> {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(GetParam()); !why.empty()) GTEST_SKIP() << why;
  }
  void TearDown() override {
    if (rig_.runner == nullptr) return;  // Skipped.
    EXPECT_EQ(rig_.Leftovers(), "");
  }
  v1::Finished Run(const std::string& containerfile, const std::string& arch,
                   v1::BinaryCheck check = v1::BINARY_CHECK_UNSPECIFIED) {
    rig_.seen.states.clear();
    v1::Offer offer = rig_.Offer(rig_.Context({{"Containerfile", containerfile},
                                               {"program.amd64", Program("amd64")},
                                               {"program.arm64", Program("arm64")}}),
                                 arch);
    offer.set_binary_check(check);
    // Named by its attempt where the worker's buildah cannot push by digest.
    last_image_ = absl::StrCat(offer.repository(), ":manyarch-", offer.attempt_id());
    return rig_.Run(offer);
  }

  AttemptRig rig_;
  std::string last_image_;
};

constexpr char kWrong[] =
    "FROM scratch\nCOPY program.arm64 /usr/bin/app\nCOPY program.amd64 /usr/bin/fine\n"
    "ENTRYPOINT [\"/usr/bin/app\"]\n";

TEST_P(AttemptBinariesTest, AWarningNamesTheFile) {
  const v1::Finished result = Run(kWrong, "amd64");
  ASSERT_TRUE(result.has_image()) << result.DebugString();
  EXPECT_THAT(result.warnings(),
              ElementsAre("/usr/bin/app is a program for arm64 in an image for linux/amd64"));
  EXPECT_THAT(rig_.seen.output,
              HasSubstr("manyarch: warning: /usr/bin/app is a program for arm64"));
}

TEST_P(AttemptBinariesTest, StrictFailsBeforeThePush) {
  const v1::Finished result = Run(kWrong, "amd64", v1::BINARY_CHECK_STRICT);
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_EQ(result.failure().class_(), v1::FAILURE_CLASS_USER);
  EXPECT_THAT(result.failure().message(),
              HasSubstr("/usr/bin/app is a program for arm64 in an image for linux/amd64"));
  EXPECT_THAT(rig_.seen.states, Not(::testing::Contains(v1::ATTEMPT_STATE_PUSHING)));
}

TEST_P(AttemptBinariesTest, OffIsSilentAndRightImagesAreToo) {
  v1::Finished result = Run(kWrong, "amd64", v1::BINARY_CHECK_OFF);
  ASSERT_TRUE(result.has_image()) << result.DebugString();
  EXPECT_THAT(result.warnings(), IsEmpty());
  result = Run("FROM scratch\nCOPY program.arm64 /app\nCMD [\"/app\"]\n", "arm64",
               v1::BINARY_CHECK_STRICT);
  ASSERT_TRUE(result.has_image()) << result.DebugString();
  EXPECT_THAT(result.warnings(), IsEmpty());
}

TEST_P(AttemptBinariesTest, WhatALaterStepRemovesOrAnotherStageHasIsNotInTheImage) {
  const v1::Finished result =
      Run("FROM scratch AS tools\nCOPY program.arm64 /bin/cross\n"
          "FROM scratch\nCOPY program.arm64 /app\nCOPY --from=tools /bin /tools\n"
          "COPY program.amd64 /app\nCOPY program.amd64 /tools/cross\n",
          "amd64", v1::BINARY_CHECK_STRICT);
  ASSERT_TRUE(result.has_image()) << result.DebugString();
}

TEST_P(AttemptBinariesTest, ABaseOfAnotherArchitectureIsFoundOut) {
  const v1::Finished base =
      Run("FROM scratch\nCOPY program.arm64 /bin/sh\nCOPY program.arm64 /bin/more\n", "arm64");
  ASSERT_TRUE(base.has_image()) << base.DebugString();
  const std::string from = absl::StrCat("FROM --platform=linux/arm64 ", last_image_, "\n");
  // buildah labels what comes of it as amd64.
  v1::Finished result = Run(from + "COPY program.amd64 /app\nCMD [\"/app\"]\n", "amd64");
  ASSERT_TRUE(result.has_image()) << result.DebugString();
  EXPECT_THAT(result.warnings(),
              ElementsAre("/bin/sh is a program for arm64 in an image for linux/amd64"));
  // Nothing added at all.
  result = Run(from + "CMD [\"more\"]\n", "amd64", v1::BINARY_CHECK_STRICT);
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_THAT(result.failure().message(),
              HasSubstr("/bin/more is a program for arm64, /bin/sh is a program for arm64"));
}

INSTANTIATE_TEST_SUITE_P(Isolations, AttemptBinariesTest,
                         ::testing::Values(IsolationChoice::kAuto, IsolationChoice::kChroot),
                         [](const auto& test) {
                           return test.param == IsolationChoice::kAuto ? "auto" : "chroot";
                         });

}  // namespace
}  // namespace manyarch::worker
