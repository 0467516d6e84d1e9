// What the exit status of `manyarch` says.
#pragma once

#include "absl/status/status.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

enum ExitCode : int {
  kExitOk = 0,
  kExitBuildFailed = 1,     // The Containerfile's own failure.
  kExitUsage = 2,           // Bad arguments, a bad context, no such job.
  kExitInfrastructure = 3,  // Also: no worker for it, no controller.
  kExitNotPermitted = 4,
  kExitTimeout = 124,
  kExitCancelled = 130,
};

// For a call, or a step of our own, that failed.
int ExitCodeFor(const absl::Status& status);

// For a job that is over. A superseded job built everything and only left the tag to a later one:
// 0.
int ExitCodeFor(const v1::Job& job);

// Whether the job will never change again.
bool IsTerminal(v1::JobState state);

}  // namespace manyarch::cli
