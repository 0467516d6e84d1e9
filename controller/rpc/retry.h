// What a retry submits: the earlier job's spec, and the images that it has left.
#pragma once

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

}  // namespace manyarch::controller::rpc
