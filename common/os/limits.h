// What the kernel lets this process have.
#pragma once

#include <cstdint>

namespace manyarch {

// Raises the soft limit of open files to the hard one, which shells and service managers set much
// higher; the soft one is for programs that use select(2). Returns the limit that holds now.
// Subprocesses inherit it.
int64_t RaiseOpenFileLimit();

}  // namespace manyarch
