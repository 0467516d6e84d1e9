#include "cli/exit_code.h"

namespace manyarch::cli {

namespace {

int ForClass(v1::FailureClass failure) {
  switch (failure) {
    case v1::FAILURE_CLASS_USER:
      return kExitBuildFailed;
    case v1::FAILURE_CLASS_TIMEOUT:
      return kExitTimeout;
    default:
      return kExitInfrastructure;
  }
}

}  // namespace

int ExitCodeFor(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return kExitOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kOutOfRange:
      return kExitUsage;
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kPermissionDenied:
      return kExitNotPermitted;
    case absl::StatusCode::kCancelled:
      return kExitCancelled;
    default:
      return kExitInfrastructure;
  }
}

int ExitCodeFor(const v1::Job& job) {
  switch (job.state()) {
    case v1::JOB_STATE_SUCCEEDED:
    case v1::JOB_STATE_SUPERSEDED:
      return kExitOk;
    case v1::JOB_STATE_CANCELLED:
      return kExitCancelled;
    default:
      break;
  }
  if (job.failure().class_() != v1::FAILURE_CLASS_UNSPECIFIED) {
    return ForClass(job.failure().class_());
  }
  for (const v1::Build& build : job.builds()) {
    if (build.state() == v1::BUILD_STATE_FAILED && !build.optional()) {
      return ForClass(build.failure().class_());
    }
  }
  return kExitInfrastructure;
}

bool IsTerminal(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
    case v1::JOB_STATE_FAILED:
    case v1::JOB_STATE_CANCELLED:
    case v1::JOB_STATE_SUPERSEDED:
      return true;
    default:
      return false;
  }
}

}  // namespace manyarch::cli
