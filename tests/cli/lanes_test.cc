#include "cli/render/lanes.h"

#include <algorithm>
#include <map>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::SizeIs;

std::vector<std::string> Texts(const v1::Job& job,
                               const std::map<std::string, Activity>& activities, int seconds,
                               ScreenSize size) {
  std::vector<std::string> texts;
  for (const ScreenLine& line : Lanes(job, activities, At(seconds), size)) {
    texts.push_back(line.text);
  }
  return texts;
}

Activity Printed(const std::vector<std::string>& lines) {
  Activity activity;
  for (const std::string& line : lines) activity.Add(line);
  return activity;
}

TEST(Lanes, OneLineAPlatformAndTheLastLinesOfThoseThatRun) {
  const auto job = FromText<v1::Job>(kRunningJob);
  const std::map<std::string, Activity> activities = {
      {"j1-amd64-1", Printed({"not shown: it is done"})},
      {"j1-arm64-2", Printed({"STEP 2/4: RUN make", "cc -o\tx"})}};
  EXPECT_THAT(Texts(job, activities, 65, {101, 24}),
              ElementsAre("job j1  running  1m 05s",
                          "  linux/amd64  succeeded  big (native)    10s  sha256:aa",
                          "  linux/arm64  building   big (emulated)  40s  STEP 2/4: RUN make",
                          "    STEP 2/4: RUN make", "    cc -o x"));
  const auto lines = Lanes(job, activities, At(65), {101, 24});
  EXPECT_EQ(lines[1].style, Style::kGood);
  EXPECT_EQ(lines[4].style, Style::kFaint);
}

TEST(Lanes, ANarrowOneLeavesTheWorkerOut) {
  const auto job = FromText<v1::Job>(kRunningJob);
  EXPECT_THAT(Texts(job, {{"j1-arm64-2", Printed({"STEP 2/4: RUN make"})}}, 65, {40, 4}),
              ElementsAre("job j1  running  1m 05s", "  linux/amd64  succeeded  10s  sha256:a",
                          "  linux/arm64  building   40s  STEP 2/4"));
}

TEST(Lanes, NeverFillTheScreenAndNeverItsLastColumn) {
  const auto job = FromText<v1::Job>(kRunningJob);
  const Activity busy = Printed(std::vector<std::string>(20, std::string(500, 'x')));
  for (const size_t width : {1, 2, 20, 40, 80, 200}) {
    for (const size_t height : {1, 2, 4, 6, 24}) {
      const auto texts = Texts(job, {{"j1-arm64-2", busy}}, 65, {width, height});
      EXPECT_LE(texts.size(), std::max<size_t>(1, height - 1));
      EXPECT_THAT(texts, Each(SizeIs(testing::Le(std::max<size_t>(1, width - 1)))));
    }
  }
}

TEST(Lanes, AreCutToTheWidthAndShowWhyABuildWaits) {
  const auto job = FromText<v1::Job>(R"(id: "j1" state: JOB_STATE_QUEUED
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_WAITING optional: true
               waiting_reason: "no worker offers linux/s390x" })");
  EXPECT_THAT(Texts(job, {}, 0, {41, 24}),
              ElementsAre("job j1  queued", "  linux/s390x?  waiting    no worker off"));
}

TEST(Lanes, AnImageThatIsUsedAgainTellsWhoseItIs) {
  const auto job = FromText<v1::Job>(R"(id: "j2" state: JOB_STATE_RUNNING
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_SUCCEEDED
               reused_from: "j1" image { digest: "sha256:aa" } })");
  EXPECT_THAT(Texts(job, {}, 0, {81, 24}),
              ElementsAre("job j2  running", "  linux/s390x  succeeded  from job j1    sha256:aa"));
}

TEST(Lanes, OfTwoAttemptsAtATimeTheOneThatCameFirstIsShown) {
  const auto job = FromText<v1::Job>(R"(id: "j2" state: JOB_STATE_RUNNING
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_SUCCEEDED
               image { digest: "sha256:aa" }
               attempts { number: 1 worker_name: "small" emulated: true
                          state: ATTEMPT_STATE_SUCCEEDED }
               attempts { number: 2 worker_name: "big" state: ATTEMPT_STATE_CANCELLED } })");
  const auto texts = Texts(job, {}, 0, {101, 24});
  ASSERT_THAT(texts, SizeIs(2));
  EXPECT_THAT(texts[1], testing::HasSubstr("small (emulated)"));
}

TEST(StepIn, FindsStepsOfOneAndOfSeveralStages) {
  EXPECT_EQ(StepIn("STEP 2/5: RUN make"), "STEP 2/5: RUN make");
  EXPECT_EQ(StepIn("[1/2] STEP 2/5: RUN make"), "[1/2] STEP 2/5: RUN make");
  EXPECT_EQ(StepIn("my STEP 2"), "");
  EXPECT_EQ(StepIn("--> abc"), "");
}

TEST(Lanes, TellWhenAWaitingBuildIsToStartAndTheHeadingWhatTheJobWaitsForLast) {
  const auto job = FromText<v1::Job>(R"(id: "j1" state: JOB_STATE_RUNNING
      gating { os: "linux" arch: "s390x" } predicted_finish { seconds: 1700000720 }
      builds { platform { os: "linux" arch: "arm64" } state: BUILD_STATE_WAITING
               waiting_reason: "waiting for a free slot" predicted_worker: "w2"
               predicted_start { seconds: 1700000180 } }
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_WAITING
               predicted_start { seconds: 1700000300 } })");
  const ScreenSize wide{101, 24};
  EXPECT_THAT(
      Texts(job, {}, 0, wide),
      ElementsAre(
          "job j1  running  about 12 min left, linux/s390x decides",
          "  linux/arm64  waiting      starts in about 3 min on w2; waiting for a free slot",
          "  linux/s390x  waiting      starts in about 5 min"));
  // Time passes, and nothing else is heard.
  EXPECT_THAT(
      Texts(job, {}, 290, wide),
      ElementsAre("job j1  running  about 7 min left, linux/s390x decides",
                  "  linux/arm64  waiting      starts any moment on w2; waiting for a free slot",
                  "  linux/s390x  waiting      starts in less than a minute"));
}

TEST(Lanes, CallAGuessAGuess) {
  const auto job = FromText<v1::Job>(R"(id: "j1" state: JOB_STATE_RUNNING
      gating { os: "linux" arch: "s390x" } predicted_finish { seconds: 1700000720 }
      finish_guessed: true
      builds { platform { os: "linux" arch: "arm64" } state: BUILD_STATE_WAITING
               predicted_start { seconds: 1700000180 } time_guessed: true }
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_WAITING
               predicted_start { seconds: 1700000300 } start_guessed: true })");
  EXPECT_THAT(Texts(job, {}, 0, ScreenSize{101, 24}),
              ElementsAre("job j1  running  about 12 min left (a guess), linux/s390x decides",
                          "  linux/arm64  waiting      starts in about 3 min",
                          "  linux/s390x  waiting      starts in about 5 min (a guess)"));
}

}  // namespace
}  // namespace manyarch::cli
