// What a worker may say of itself: the worker refuses the same values at its start as the
// controller does when it comes, with the same sentences. INVALID_ARGUMENT names the value. Pure.
#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// A label that constraints ask for: UTF-8 without control characters. "memory" is a size as
// ParseMemory takes it, for it is compared with what builds may use.
absl::Status CheckWorkerLabel(absl::string_view name, absl::string_view value);

// UTF-8 without control characters; `what` is "name", "id" or the like.
absl::Status CheckWorkerText(absl::string_view what, absl::string_view text);

}  // namespace manyarch
