// What the calls of the farm service have in common.
#pragma once

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller::rpc {

// How often a stream that has nothing to send looks whether its client is still there.
inline constexpr absl::Duration kLookUp = absl::Milliseconds(250);

inline absl::Status Stopping() {
  return absl::UnavailableError("the controller is stopping; try again when it is back");
}

inline bool IsTerminal(const v1::Job& job) { return job.state() >= v1::JOB_STATE_SUCCEEDED; }

}  // namespace manyarch::controller::rpc
