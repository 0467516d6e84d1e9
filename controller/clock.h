// The clocks of this process.
#pragma once

#include <chrono>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "controller/core/types.h"

namespace manyarch::controller {

inline core::Now ReadClocks() {
  return {absl::Now(), absl::UnixEpoch() +
                           absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch())};
}

}  // namespace manyarch::controller
