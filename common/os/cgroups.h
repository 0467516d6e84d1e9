// Control groups that others (an OCI runtime) made for us.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace manyarch {

// Removes the control group `name` at the top, and all below it, in every hierarchy of this
// machine, v1 or v2. Its processes must have ended; it waits up to a second for the kernel to see
// that. Fine where there is none.
absl::Status RemoveCgroup(const std::string& name);

// The same for all whose names start with `prefix`.
absl::Status RemoveCgroupsNamed(const std::string& prefix);

}  // namespace manyarch
