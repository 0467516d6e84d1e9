#include "cli/render/changes.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(DescribeChanges, TellsAllOfAJobSeenFirst) {
  EXPECT_THAT(
      DescribeChanges(nullptr, FromText<v1::Job>(kRunningJob), At(65)),
      ElementsAre("linux/amd64: succeeded: sha256:aa",
                  "linux/arm64: attempt 1 on small (emulated) was lost: the worker went away",
                  "linux/arm64: building on big (emulated)"));
}

TEST(DescribeChanges, TellsNothingTwice) {
  const auto job = FromText<v1::Job>(kRunningJob);
  EXPECT_THAT(DescribeChanges(&job, job, At(65)), IsEmpty());
}

TEST(DescribeChanges, TellsEachStateOnce) {
  auto before = FromText<v1::Job>(R"(builds { platform { os: "linux" arch: "arm64" }
      state: BUILD_STATE_WAITING waiting_reason: "no worker free" })");
  EXPECT_THAT(DescribeChanges(nullptr, before, At(65)),
              ElementsAre("linux/arm64: waiting: no worker free"));
  auto after = before;
  after.mutable_builds(0)->set_waiting_reason("no worker offers it");
  EXPECT_THAT(DescribeChanges(&before, after, At(65)),
              ElementsAre("linux/arm64: waiting: no worker offers it"));
  before = after;
  after.mutable_builds(0)->set_waiting_reason("waiting for a free slot");
  EXPECT_THAT(DescribeChanges(&before, after, At(65)),
              ElementsAre("linux/arm64: waiting for a free slot"));
  before = after;
  after.mutable_builds(0)->set_state(v1::BUILD_STATE_RUNNING);
  auto& attempt = *after.mutable_builds(0)->add_attempts();
  attempt.set_id("a");
  attempt.set_worker_name("w");
  attempt.set_state(v1::ATTEMPT_STATE_OFFERED);
  EXPECT_THAT(DescribeChanges(&before, after, At(65)), IsEmpty());
  const std::pair<v1::AttemptState, const char*> lines[] = {
      {v1::ATTEMPT_STATE_ACCEPTED, "linux/arm64: taken by w"},
      {v1::ATTEMPT_STATE_FETCHING, "linux/arm64: fetching the context on w"},
      {v1::ATTEMPT_STATE_PUSHING, "linux/arm64: pushing from w"},
      {v1::ATTEMPT_STATE_VERIFYING, "linux/arm64: checking the image in the registry"}};
  for (const auto& [state, line] : lines) {
    before = after;
    after.mutable_builds(0)->mutable_attempts(0)->set_state(state);
    EXPECT_THAT(DescribeChanges(&before, after, At(65)), ElementsAre(line));
  }
}

TEST(DescribeChanges, AFailureIsToldOnceNotForTheAttemptToo) {
  auto before = FromText<v1::Job>(kRunningJob);
  EXPECT_THAT(DescribeChanges(&before, FromText<v1::Job>(kFailedJob), At(65)),
              ElementsAre("linux/arm64: failed: the step exited with code 2"));
}

// A build whose attempts all fail with one long message, up to attempt `n`.
v1::Job FailingJob(int n) {
  v1::Job job;
  v1::Build& build = *job.add_builds();
  build.mutable_platform()->set_os("linux");
  build.mutable_platform()->set_arch("arm64");
  const std::string message = "linux/arm64: " + std::string(200, 'x');
  for (int i = 1; i <= n; ++i) {
    v1::Attempt& attempt = *build.add_attempts();
    attempt.set_id(absl::StrCat("a", i));
    attempt.set_number(i);
    attempt.set_worker_name("w");
    attempt.set_state(v1::ATTEMPT_STATE_FAILED);
    attempt.mutable_failure()->set_message(message);
  }
  build.set_state(n < 3 ? v1::BUILD_STATE_WAITING : v1::BUILD_STATE_FAILED);
  if (n < 3) build.set_waiting_reason("to be tried again, because " + message);
  if (n == 3) build.mutable_failure()->set_message("gave up after 3 attempts, all: " + message);
  return job;
}

TEST(DescribeChanges, AFailureThatRepeatsIsToldOnceAndShort) {
  EXPECT_THAT(DescribeChanges(nullptr, FailingJob(1), At(65)),
              ElementsAre("linux/arm64: attempt 1 on w failed: " + std::string(160, 'x') + "...",
                          "linux/arm64: trying again"));
  v1::Job before = FailingJob(1);
  before.mutable_builds(0)->set_state(v1::BUILD_STATE_RUNNING);
  EXPECT_THAT(DescribeChanges(&before, FailingJob(2), At(65)),
              ElementsAre("linux/arm64: attempt 2 on w failed: the same again",
                          "linux/arm64: trying again"));
  before = FailingJob(2);
  EXPECT_THAT(DescribeChanges(&before, FailingJob(3), At(65)),
              ElementsAre("linux/arm64: attempt 3 on w failed: the same again",
                          "linux/arm64: failed: gave up after 3 attempts"));
}

TEST(DescribeChanges, ARefusalThatNoAttemptToldIsToldInFull) {
  v1::Job job = FailingJob(1);
  job.mutable_builds(0)->set_waiting_reason("to be tried again, because w refused it: busy");
  EXPECT_THAT(DescribeChanges(nullptr, job, At(65)).back(),
              "linux/arm64: waiting: to be tried again, because w refused it: busy");
}

TEST(DescribeChanges, TellsWarningsReasonsAndPublishing) {
  auto before = FromText<v1::Job>(kRunningJob);
  auto after = before;
  after.set_state(v1::JOB_STATE_PUBLISHING);
  after.set_status_reason("the registry is slow");
  after.mutable_builds(0)->add_warnings("the config says v7");
  EXPECT_THAT(DescribeChanges(&before, after, At(65)),
              ElementsAre("linux/amd64: warning: the config says v7",
                          "publishing the manifest list", "job: the registry is slow"));
}

TEST(DescribeChanges, TellsWhenTheJobIsToEndOnceAndAgainWhereThatMovesByMuch) {
  auto before = FromText<v1::Job>(kRunningJob);
  auto after = before;
  *after.mutable_gating() = after.builds(1).platform();
  after.mutable_predicted_finish()->set_seconds(kStart + 65 + 20 * 60);
  EXPECT_THAT(DescribeChanges(&before, after, At(65)),
              ElementsAre("job: about 20 min left, linux/arm64 decides"));
  before = after;
  after.mutable_predicted_finish()->set_seconds(kStart + 65 + 23 * 60);
  EXPECT_THAT(DescribeChanges(&before, after, At(65)), IsEmpty());
  after.mutable_predicted_finish()->set_seconds(kStart + 65 + 40 * 60);
  EXPECT_THAT(DescribeChanges(&before, after, At(65)),
              ElementsAre("job: about 40 min left, linux/arm64 decides"));
}

}  // namespace
}  // namespace manyarch::cli
