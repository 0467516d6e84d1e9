// Control groups that others (an OCI runtime) made for us.
#pragma once

#include <string>

#include "absl/status/status.h"

namespace manyarch {

// Removes the control group `path` ("/a/b") and all below it, in every hierarchy of this machine,
// v1 or v2. Their processes must have ended; it waits up to a second for the kernel to see that.
// Absent ones are fine.
absl::Status RemoveCgroups(const std::string& path);

}  // namespace manyarch
