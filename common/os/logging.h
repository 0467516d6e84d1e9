// The log of a program: spdlog to stderr. Only programs call this; libraries just use spdlog.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// To be called once, early in main. `level`: trace, debug, info, warn, error or off; anything else
// is refused.
absl::Status InitLogging(absl::string_view program, absl::string_view level);

}  // namespace manyarch
