// Sending a context and the job that is made of it.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "cli/client.h"
#include "cli/context/tree.h"
#include "cli/render/progress.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Uploads what the controller lacks and submits `request`, whose spec and secrets are given.
// Repeats both over lost connections, once there was one: the idempotency key makes that safe.
// `before_submit` is called when the job may come to exist.
absl::StatusOr<v1::Job> SubmitJob(Client& client, Progress& progress, v1::SubmitRequest request,
                                  const std::vector<ContextTree>& trees,
                                  const std::function<void()>& before_submit);

// Submits a job that has ended once more; over lost connections as SubmitJob.
absl::StatusOr<v1::Job> SubmitRetry(Client& client, Progress& progress,
                                    const v1::RetryJobRequest& request,
                                    const std::function<void()>& before_submit);

}  // namespace manyarch::cli
