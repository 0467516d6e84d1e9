#include "cli/commands/since.h"

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace manyarch::cli {

absl::StatusOr<absl::Time> ParseSince(const std::string& text) {
  absl::Duration ago;
  if (absl::ParseDuration(text, &ago) && ago >= absl::ZeroDuration()) return absl::Now() - ago;
  absl::Time time;
  std::string error;
  if (absl::ParseTime(absl::RFC3339_full, text, &time, &error)) return time;
  return absl::InvalidArgumentError(
      absl::StrCat("--since '", text,
                   "' is neither a time before now, like 90s or 10m, nor a point in time, like "
                   "2024-03-01T12:00:00Z"));
}

}  // namespace manyarch::cli
