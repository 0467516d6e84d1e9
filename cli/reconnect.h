// How calls are spaced that are repeated until the controller answers again.
#pragma once

#include "absl/time/time.h"
#include "common/base/backoff.h"

namespace manyarch::cli {

inline constexpr Backoff kReconnect{absl::Milliseconds(200), absl::Seconds(2), 1.5};

}  // namespace manyarch::cli
