// This machine, as far as programs must know it.
#pragma once

#include <string>

namespace manyarch {

// Equal for two programs exactly when they share one loopback interface: the kernel's boot id and
// the network namespace. Empty where that cannot be found out.
std::string NetworkIdentity();

}  // namespace manyarch
