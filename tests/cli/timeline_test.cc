#include "cli/render/timeline.h"

#include "cli/render/explanation.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

std::string Timeline(const std::string& attempts, int64_t now) {
  const auto job = FromText<v1::Job>("submitted_at { seconds: 100 } builds { " + attempts + " }");
  const v1::Build& build = job.builds(0);
  return TimelineText(PhasesOf(job, build, *build.attempts().rbegin(), absl::FromUnixSeconds(now)));
}

TEST(Timeline, EveryPhaseThatWasSeen) {
  EXPECT_EQ(Timeline(R"(attempts { offered_at { seconds: 101 } accepted_at { seconds: 102 }
                        building_at { seconds: 103 nanos: 500000000 } pushing_at { seconds: 170 }
                        pushed_at { seconds: 175 } finished_at { seconds: 176 } })",
                     900),
            "queued 2.0s, fetching 1.5s, building 1m 06s, pushing 5.0s, verifying 1.0s");
}

TEST(Timeline, TheLastPhaseRunsOn) {
  EXPECT_EQ(Timeline("attempts { offered_at { seconds: 101 } }", 130), "queued 30s");
  EXPECT_EQ(Timeline(R"(attempts { offered_at { seconds: 101 } accepted_at { seconds: 102 }
                        building_at { seconds: 103 } })",
                     130),
            "queued 2.0s, fetching 1.0s, building 27s");
}

TEST(Timeline, ASecondAttemptWaitsFromTheEndOfTheFirst) {
  EXPECT_EQ(
      Timeline(R"(attempts { number: 1 offered_at { seconds: 101 } finished_at { seconds: 120 } }
                        attempts { number: 2 offered_at { seconds: 123 } accepted_at { seconds: 124 }
                        finished_at { seconds: 125 } })",
               900),
      "queued 4.0s, fetching 1.0s");
}

TEST(Explanation, AFailureNamesItsPlatformOnce) {
  EXPECT_EQ(ExplanationText(FromText<v1::ExplainJobResponse>(R"(
    job { id: "j1" state: JOB_STATE_FAILED submitted_at { seconds: 1700000000 }
          failure { message: "linux/arm64: no such file" } }
    builds { platform { os: "linux" arch: "arm64" } summary: "failed: linux/arm64: no such file" }
  )"),
                            At(60)),
            "job j1 has failed (submitted 1m ago)\nlinux/arm64: failed: no such file\n");
}

TEST(Explanation, WhatNoPlatformSaysIsSaidOfTheJob) {
  EXPECT_EQ(ExplanationText(FromText<v1::ExplainJobResponse>(R"(
    job { id: "j1" state: JOB_STATE_CANCELLED submitted_at { seconds: 1700000000 }
          failure { message: "interrupted" } }
    builds { platform { os: "linux" arch: "arm64" } summary: "succeeded on big" }
  )"),
                            At(60)),
            "job j1 was cancelled (submitted 1m ago)\n  interrupted\n"
            "linux/arm64: succeeded on big\n");
}

TEST(Explanation, EveryWorkerUnderThePlatformThatWaits) {
  EXPECT_EQ(ExplanationText(FromText<v1::ExplainJobResponse>(R"(
              job { id: "j1" state: JOB_STATE_RUNNING submitted_at { seconds: 1700000000 } }
              builds { platform { os: "linux" arch: "amd64" } summary: "building on big" }
              builds { platform { os: "linux" arch: "s390x" } summary: "waiting for a free slot"
                       workers { worker_name: "big" eligible: true reason: "busy" }
                       workers { worker_name: "tiny" reason: "cordoned: no \033[1mdisk" } })"),
                            At(60)),
            "job j1 is running (submitted 1m ago)\n"
            "linux/amd64: building on big\n"
            "linux/s390x: waiting for a free slot\n"
            "  + big   busy\n"
            "  - tiny  cordoned: no disk\n");
}

}  // namespace
}  // namespace manyarch::cli
