// Which rule of the cores is broken on purpose, to see whether a simulated run notices.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace manyarch::sim {

// The name of the rule; empty in every ordinary run.
std::string& BrokenRule();

// Asked at the place of the rule: by the simulated world for the rules that it keeps itself, and by
// the copies of the cores that rules.cmake makes for the others.
bool Broken(absl::string_view rule);

}  // namespace manyarch::sim
