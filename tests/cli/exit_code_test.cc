#include "cli/exit_code.h"

#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

TEST(ExitCode, OfCalls) {
  const std::pair<absl::StatusCode, int> rows[] = {
      {absl::StatusCode::kOk, 0},
      {absl::StatusCode::kInvalidArgument, 2},
      {absl::StatusCode::kNotFound, 2},
      {absl::StatusCode::kAlreadyExists, 2},
      {absl::StatusCode::kUnauthenticated, 4},
      {absl::StatusCode::kPermissionDenied, 4},
      {absl::StatusCode::kUnavailable, 3},
      {absl::StatusCode::kDeadlineExceeded, 3},
      {absl::StatusCode::kFailedPrecondition, 3},
      {absl::StatusCode::kInternal, 3},
      {absl::StatusCode::kCancelled, 130},
  };
  for (const auto& [code, exit] : rows) EXPECT_EQ(ExitCodeFor(absl::Status(code, "x")), exit);
}

TEST(ExitCode, OfJobs) {
  const std::pair<const char*, int> rows[] = {
      {"state: JOB_STATE_SUCCEEDED", 0},
      {"state: JOB_STATE_SUPERSEDED", 0},
      {"state: JOB_STATE_CANCELLED failure { class: FAILURE_CLASS_USER }", 130},
      {"state: JOB_STATE_FAILED failure { class: FAILURE_CLASS_USER }", 1},
      {"state: JOB_STATE_FAILED failure { class: FAILURE_CLASS_INFRASTRUCTURE }", 3},
      {"state: JOB_STATE_FAILED failure { class: FAILURE_CLASS_LOST }", 3},
      {"state: JOB_STATE_FAILED failure { class: FAILURE_CLASS_UNSCHEDULABLE }", 3},
      {"state: JOB_STATE_FAILED failure { class: FAILURE_CLASS_TIMEOUT }", 124},
      {"state: JOB_STATE_FAILED", 3},
      // Where the job itself does not say, its first required build does.
      {"state: JOB_STATE_FAILED"
       " builds { state: BUILD_STATE_FAILED optional: true failure { class: FAILURE_CLASS_LOST } }"
       " builds { state: BUILD_STATE_FAILED failure { class: FAILURE_CLASS_USER } }",
       1},
  };
  for (const auto& [text, exit] : rows)
    EXPECT_EQ(ExitCodeFor(FromText<v1::Job>(text)), exit) << text;
}

}  // namespace
}  // namespace manyarch::cli
