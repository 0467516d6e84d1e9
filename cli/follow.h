// Watching a job to its end, with the logs of its attempts.
#pragma once

#include <functional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/log_follower.h"
#include "cli/render/progress.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

struct FollowOptions {
  // Which attempts' logs to read; null: all.
  std::function<bool(const v1::Build&, const v1::Attempt&)> wants_log;
  // Where to begin with logs of attempts that are there at the start.
  LogStart log_start;
  // How long the controller may be out of reach before this gives up. The job does not.
  absl::Duration patience = absl::Minutes(15);
  // How long to wait, after the job's end, for the rest of the logs.
  absl::Duration log_patience = absl::Seconds(10);
};

// Shows `job` (as last seen) until it is terminal, and returns it as it ended. Lost connections are
// told once and made again. On one thread, with one more for each log.
absl::StatusOr<v1::Job> FollowJob(Client& client, Progress& progress, v1::Job job,
                                  const FollowOptions& options);

}  // namespace manyarch::cli
