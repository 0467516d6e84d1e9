// --since of the listing and log commands.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace manyarch::cli {

// "10m" (before now), "2024-03-01T12:00:00Z"
absl::StatusOr<absl::Time> ParseSince(const std::string& text);

}  // namespace manyarch::cli
