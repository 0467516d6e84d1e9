#include "cli/render/changes.h"

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// What is told of `after` to who has been told of `before`.
std::vector<std::string> Told(const v1::Job* before, const v1::Job& after) {
  JobTeller teller;
  if (before != nullptr) teller.Tell(*before, At(65));
  return teller.Tell(after, At(65));
}

TEST(JobTeller, TellsAllOfAJobSeenFirst) {
  EXPECT_THAT(
      Told(nullptr, FromText<v1::Job>(kRunningJob)),
      ElementsAre("linux/amd64: succeeded: sha256:aa",
                  "linux/arm64: attempt 1 on small (emulated) was lost: the worker went away",
                  "linux/arm64: building on big (emulated)"));
}

TEST(JobTeller, TellsNothingTwice) {
  const auto job = FromText<v1::Job>(kRunningJob);
  EXPECT_THAT(Told(&job, job), IsEmpty());
}

TEST(JobTeller, TellsEachStateOnce) {
  auto before = FromText<v1::Job>(R"(builds { platform { os: "linux" arch: "arm64" }
      state: BUILD_STATE_WAITING waiting_reason: "no worker free" })");
  EXPECT_THAT(Told(nullptr, before), ElementsAre("linux/arm64: waiting: no worker free"));
  auto after = before;
  after.mutable_builds(0)->set_waiting_reason("no worker offers it");
  EXPECT_THAT(Told(&before, after), ElementsAre("linux/arm64: waiting: no worker offers it"));
  before = after;
  after.mutable_builds(0)->set_waiting_reason("waiting for a free slot");
  EXPECT_THAT(Told(&before, after), ElementsAre("linux/arm64: waiting for a free slot"));
  before = after;
  after.mutable_builds(0)->set_state(v1::BUILD_STATE_RUNNING);
  auto& attempt = *after.mutable_builds(0)->add_attempts();
  attempt.set_id("a");
  attempt.set_worker_name("w");
  attempt.set_state(v1::ATTEMPT_STATE_OFFERED);
  EXPECT_THAT(Told(&before, after), IsEmpty());
  const std::pair<v1::AttemptState, const char*> lines[] = {
      {v1::ATTEMPT_STATE_ACCEPTED, "linux/arm64: taken by w"},
      {v1::ATTEMPT_STATE_FETCHING, "linux/arm64: fetching the context on w"},
      {v1::ATTEMPT_STATE_PUSHING, "linux/arm64: pushing from w"},
      {v1::ATTEMPT_STATE_VERIFYING, "linux/arm64: checking the image in the registry"}};
  for (const auto& [state, line] : lines) {
    before = after;
    after.mutable_builds(0)->mutable_attempts(0)->set_state(state);
    EXPECT_THAT(Told(&before, after), ElementsAre(line));
  }
}

TEST(JobTeller, AFailureIsToldOnceNotForTheAttemptToo) {
  auto before = FromText<v1::Job>(kRunningJob);
  EXPECT_THAT(Told(&before, FromText<v1::Job>(kFailedJob)),
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

TEST(JobTeller, AFailureThatRepeatsIsToldOnceAndShort) {
  EXPECT_THAT(Told(nullptr, FailingJob(1)),
              ElementsAre("linux/arm64: attempt 1 on w failed: " + std::string(160, 'x') + "...",
                          "linux/arm64: trying again"));
  v1::Job before = FailingJob(1);
  before.mutable_builds(0)->set_state(v1::BUILD_STATE_RUNNING);
  EXPECT_THAT(Told(&before, FailingJob(2)),
              ElementsAre("linux/arm64: attempt 2 on w failed: the same again",
                          "linux/arm64: trying again"));
  before = FailingJob(2);
  EXPECT_THAT(Told(&before, FailingJob(3)),
              ElementsAre("linux/arm64: attempt 3 on w failed: the same again",
                          "linux/arm64: failed: gave up after 3 attempts"));
}

TEST(JobTeller, ARefusalThatNoAttemptToldIsToldInFull) {
  v1::Job job = FailingJob(1);
  job.mutable_builds(0)->set_waiting_reason("to be tried again, because w refused it: busy");
  EXPECT_THAT(Told(nullptr, job).back(),
              "linux/arm64: waiting: to be tried again, because w refused it: busy");
}

TEST(JobTeller, TellsWarningsReasonsAndPublishing) {
  auto before = FromText<v1::Job>(kRunningJob);
  auto after = before;
  after.set_state(v1::JOB_STATE_PUBLISHING);
  after.set_status_reason("the registry is slow");
  after.mutable_builds(0)->add_warnings("the config says v7");
  EXPECT_THAT(Told(&before, after),
              ElementsAre("linux/amd64: warning: the config says v7",
                          "publishing the manifest list", "job: the registry is slow"));
}

TEST(JobTeller, TellsWhenTheJobIsToEndOnceAndAgainWhereThatMovesByMuch) {
  auto job = FromText<v1::Job>(kRunningJob);
  JobTeller teller;
  teller.Tell(job, At(65));
  *job.mutable_gating() = job.builds(1).platform();
  const auto told_with_left = [&](int minutes) {
    job.mutable_predicted_finish()->set_seconds(kStart + 65 + minutes * 60);
    return teller.Tell(job, At(65));
  };
  EXPECT_THAT(told_with_left(20), ElementsAre("job: about 20 min left, linux/arm64 decides"));
  EXPECT_THAT(told_with_left(23), IsEmpty());
  EXPECT_THAT(told_with_left(40), ElementsAre("job: about 40 min left, linux/arm64 decides"));
  // Small steps add up, to one line.
  for (const int minutes : {36, 33, 32}) EXPECT_THAT(told_with_left(minutes), IsEmpty());
  EXPECT_THAT(told_with_left(31), ElementsAre("job: about 31 min left, linux/arm64 decides"));
  // A prediction that comes and goes is not told each time.
  job.clear_predicted_finish();
  EXPECT_THAT(teller.Tell(job, At(65)), IsEmpty());
  EXPECT_THAT(told_with_left(32), IsEmpty());
}

}  // namespace
}  // namespace manyarch::cli
