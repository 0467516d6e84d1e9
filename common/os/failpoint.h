// Places where a test can have this process die, as a power cut would end it.
//
// In builds with the option MANYARCH_FAILPOINTS only; in others MANYARCH_FAILPOINT is nothing at
// all. A failpoint is armed by the environment: MANYARCH_FAILPOINT=NAME, or NAME:N for the Nth time
// that it is reached, or @FILE for a file that says so, which is read each time and removed when it
// fires. tests/e2e/failpoints.txt lists them all.
#pragma once

#ifdef MANYARCH_FAILPOINTS

#include "absl/strings/string_view.h"

namespace manyarch {

// Ends the process by SIGKILL if this one is armed. Thread-safe.
void ReachFailpoint(absl::string_view name);

}  // namespace manyarch

#define MANYARCH_FAILPOINT(name) ::manyarch::ReachFailpoint(name)

#else

#define MANYARCH_FAILPOINT(name) static_cast<void>(0)

#endif
