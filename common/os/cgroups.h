// Control groups that others (an OCI runtime) made for us.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>

#include "absl/status/status.h"

namespace manyarch {

// Removes the control group `name` at the top, and all below it, in every hierarchy of this
// machine, v1 or v2. Its processes must have ended; it waits up to a second for the kernel to see
// that. Fine where there is none.
absl::Status RemoveCgroup(const std::string& name);

// The same for all whose names start with `prefix`.
absl::Status RemoveCgroupsNamed(const std::string& prefix);

// The processes in the control group `name` at the top and in all below it, in every hierarchy.
// None where there is none.
std::set<pid_t> ProcessesInCgroup(const std::string& name);

}  // namespace manyarch
