// The two sides of the benchmark.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace manyarch::bench {

// How long `bytes` take over one stream of bare gRPC on a loopback connection, in pieces of the
// size that logs have, from the first one sent to the last one received.
absl::StatusOr<absl::Duration> TimeBareStream(int64_t bytes);

// How long a log of `bytes`, which is in the worker's spool, takes until a follower has all of it:
// a real worker's session, a real controller that keeps it on a disk under `dir`, and its ReadLog.
absl::StatusOr<absl::Duration> TimeFarm(int64_t bytes, const std::string& dir);

}  // namespace manyarch::bench
