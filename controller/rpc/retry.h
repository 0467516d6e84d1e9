// What a retry submits: the earlier job's spec, and the images that it has left.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "controller/core/events.h"
#include "manyarch/v1/farm.pb.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller::rpc {

struct Retry {
  v1::SubmitRequest request;
  std::vector<core::ReusableImage> reuse;  // Empty unless failed_only.
};

// FAILED_PRECONDITION: `job` has not ended, or it had secrets that are not given again.
absl::StatusOr<Retry> RetryOf(const v1::Job& job, const v1::RetryJobRequest& request);

// The tags of a job that a retry of it may find in the registry, though they may not be moved:
// those that it wrote, and all of its per-architecture tags.
std::set<std::string> TagsLeftBy(const v1::Job& job);

}  // namespace manyarch::controller::rpc
