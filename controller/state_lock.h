// One process at a time works on a state directory.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/os/files.h"

namespace manyarch::controller {

// Held for as long as the descriptor is open, and let go by the kernel when the process dies.
// FAILED_PRECONDITION: another process holds it.
absl::StatusOr<UniqueFd> LockStateDir(const std::string& state_dir);

}  // namespace manyarch::controller
