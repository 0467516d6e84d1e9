// "did you mean …?"
#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace manyarch::cli {

// The candidate that is the fewest edits away, where that is few enough to be meant; else empty.
std::string Nearest(absl::string_view word, const std::vector<std::string>& candidates);

}  // namespace manyarch::cli
