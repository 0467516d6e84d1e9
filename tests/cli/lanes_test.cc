#include "cli/render/lanes.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;

TEST(Lanes, OneLineAPlatform) {
  EXPECT_THAT(
      Lanes(FromText<v1::Job>(kRunningJob), {{"j1-arm64-2", "STEP 2/4: RUN make"}}, At(65), 100),
      ElementsAre("job j1  running  1m 05s",
                  "  linux/amd64  succeeded  big (native)    10s  sha256:aa",
                  "  linux/arm64  building   big (emulated)  40s  STEP 2/4: RUN make"));
}

TEST(Lanes, AreCutToTheWidthAndShowWhyABuildWaits) {
  const auto job = FromText<v1::Job>(R"(id: "j1" state: JOB_STATE_QUEUED
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_WAITING
               waiting_reason: "no worker offers linux/s390x" })");
  EXPECT_THAT(Lanes(job, {}, At(0), 40),
              ElementsAre("job j1  queued", "  linux/s390x  waiting      no worker of"));
}

TEST(StepIn, FindsStepsOfOneAndOfSeveralStages) {
  EXPECT_EQ(StepIn("STEP 2/5: RUN make"), "STEP 2/5: RUN make");
  EXPECT_EQ(StepIn("[1/2] STEP 2/5: RUN make"), "[1/2] STEP 2/5: RUN make");
  EXPECT_EQ(StepIn("my STEP 2"), "");
  EXPECT_EQ(StepIn("--> abc"), "");
}

}  // namespace
}  // namespace manyarch::cli
