// Jobs and workers as text.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

std::string JobsTable(const v1::ListJobsResponse& jobs, absl::Time now);
// One job with its builds, attempts, digests and failures.
std::string JobText(const v1::Job& job, absl::Time now);
std::string WorkersTable(const v1::ListWorkersResponse& workers);
// One worker with what it refuses and why.
std::string WorkerText(const v1::Worker& worker, absl::Time now);

}  // namespace manyarch::cli
