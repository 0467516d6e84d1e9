#include "cli/render/result.h"

#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

TEST(ResultText, TagsWithTheListsDigestThenThePlatforms) {
  EXPECT_EQ(ResultText(FromText<v1::Job>(kSucceededJob)),
            "reg.example/app:1.0@sha256:11\n"
            "reg.example/app:old@sha256:11  (tag not written: a later job has written it)\n"
            "  linux/amd64   sha256:aa\n"
            "  linux/arm/v7  sha256:bb\n");
}

TEST(FailureText, EndsWithThePlatformItsStepItsOutputAndWhereTheLogIs) {
  EXPECT_EQ(FailureText(FromText<v1::Job>(kFailedJob)),
            "job j1 failed: linux/arm64 failed: no list was published\n"
            "linux/arm64 failed on small (emulated)\n"
            "  step: STEP 3/4: RUN make\n"
            "  | cc -o x\n"
            "  | x.c:1: error\n"
            "  the step exited with code 2\n"
            "  The whole log: manyarch logs j1 --platform linux/arm64\n");
}

TEST(FailureText, SaysNothingTwice) {
  auto job = FromText<v1::Job>(kFailedJob);
  v1::Failure& failure = *job.mutable_builds(1)->mutable_failure();
  failure.set_message("linux/arm64: exit status 2");
  failure.add_last_lines("Error: exit status 2");
  *job.mutable_failure() = failure;
  EXPECT_EQ(FailureText(job),
            "linux/arm64 failed on small (emulated)\n"
            "  step: STEP 3/4: RUN make\n"
            "  | cc -o x\n"
            "  | x.c:1: error\n"
            "  | Error: exit status 2\n"
            "  The whole log: manyarch logs j1 --platform linux/arm64\n");
}

TEST(FailureText, WhatAllAttemptsCameToIsSaidOnce) {
  auto job = FromText<v1::Job>(kFailedJob);
  v1::Failure& failure = *job.mutable_builds(1)->mutable_failure();
  failure.clear_last_lines();
  failure.set_message("gave up after 3 attempts, all: linux/arm64: exit status 2");
  *job.mutable_failure() = failure;
  const std::string head = "linux/arm64 failed on small (emulated)\n";
  const std::string tail = "  The whole log: manyarch logs j1 --platform linux/arm64\n";
  EXPECT_EQ(FailureText(job), head + "  gave up after 3 attempts, all: exit status 2\n" + tail);
  failure.add_last_lines("Error: exit status 2");
  EXPECT_EQ(FailureText(job), head +
                                  "  step: STEP 3/4: RUN make\n  | Error: exit status 2\n"
                                  "  gave up after 3 attempts\n" +
                                  tail);
}

TEST(FailureText, AJobThatNoWorkerTookHasNoLog) {
  const auto job = FromText<v1::Job>(R"(id: "j2" state: JOB_STATE_FAILED
      failure { class: FAILURE_CLASS_UNSCHEDULABLE message: "no worker offers linux/s390x" }
      builds { platform { os: "linux" arch: "s390x" } state: BUILD_STATE_FAILED
        failure { class: FAILURE_CLASS_UNSCHEDULABLE message: "no worker offers linux/s390x" } })");
  EXPECT_EQ(FailureText(job), "linux/s390x failed\n  no worker offers linux/s390x\n");
}

TEST(FailureText, SaysWhyACancelledOrSupersededJobEnded) {
  EXPECT_EQ(FailureText(FromText<v1::Job>(R"(id: "j3" state: JOB_STATE_CANCELLED
                                             failure { message: "interrupted" })")),
            "job j3 was cancelled: interrupted\n");
  EXPECT_EQ(FailureText(FromText<v1::Job>(R"(id: "j3" state: JOB_STATE_SUPERSEDED)")),
            "job j3 was superseded: a job submitted later has claimed its tag\n");
  EXPECT_EQ(FailureText(FromText<v1::Job>(kSucceededJob)), "");
}

TEST(FailureText, AListThatLacksAnOptionalPlatformIsToldLast) {
  auto job = FromText<v1::Job>(R"(id: "j4" state: JOB_STATE_SUCCEEDED
      status_reason: "published without linux/riscv64, which is optional: it broke"
      builds { platform { os: "linux" arch: "riscv64" } state: BUILD_STATE_FAILED optional: true
               failure { class: FAILURE_CLASS_USER message: "it broke" } })");
  const std::string warning =
      "WARNING: job j4 was published without linux/riscv64, which is optional: it broke\n";
  // There is no more to tell of one that nobody has tried.
  EXPECT_EQ(FailureText(job), warning);
  job.mutable_builds(0)->mutable_failure()->set_message("linux/riscv64: it broke");
  EXPECT_EQ(FailureText(job), warning);
  job.mutable_builds(0)->mutable_failure()->clear_message();
  EXPECT_EQ(FailureText(job), "linux/riscv64 failed, which was optional\n" + warning);
  job.mutable_builds(0)->mutable_failure()->set_message("it broke");
  v1::Attempt& attempt = *job.mutable_builds(0)->add_attempts();
  attempt.set_worker_name("w");
  *attempt.mutable_failure() = job.builds(0).failure();
  EXPECT_EQ(FailureText(job),
            "linux/riscv64 failed on w (native), which was optional\n  it broke\n"
            "  The whole log: manyarch logs j4 --platform linux/riscv64\n" +
                warning);
  EXPECT_EQ(ResultText(job), "  linux/riscv64  failed, optional\n");
}

TEST(FailureText, ShowsTheOutputOfTheFailingStepAndNotOfThoseBefore) {
  auto job = FromText<v1::Job>(kFailedJob);
  v1::Failure& failure = *job.mutable_builds(1)->mutable_failure();
  failure.clear_last_lines();
  for (const char* line : {"STEP 2/4: RUN configure", "checking", "STEP 3/4: RUN make", "error"}) {
    failure.add_last_lines(line);
  }
  EXPECT_EQ(FailureText(job).find("checking"), std::string::npos);
  EXPECT_NE(FailureText(job).find("  step: STEP 3/4: RUN make\n  | error\n"), std::string::npos);
}

}  // namespace
}  // namespace manyarch::cli
