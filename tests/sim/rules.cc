#include "tests/sim/rules.h"

namespace manyarch::sim {

std::string& BrokenRule() {
  static std::string rule;
  return rule;
}

bool Broken(absl::string_view rule) { return BrokenRule() == rule; }

}  // namespace manyarch::sim
