// What a build asks of a worker. Builds that ask the same wait in one lane.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "common/base/platform.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

struct Need {
  Platform platform;
  bool local_only = false;
  Emulation policy = Emulation::kFallback;
  bool hedge = false;
  bool beside = false;  // It runs under emulation already, and is to run natively as well.
  int64_t memory_bytes = 0;
  std::vector<std::pair<std::string, std::string>> constraints;  // Labels, sorted by name.

  // Whether it may be emulated although a native worker is registered.
  bool MayBeGuest() const {
    return !beside && (policy == Emulation::kAllow || (hedge && policy != Emulation::kNever));
  }
  friend auto operator<=>(const Need&, const Need&) = default;
};

}  // namespace manyarch::controller::core
