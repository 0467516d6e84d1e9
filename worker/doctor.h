// Whether this machine can be a worker, and for what.
#pragma once

#include <ostream>

#include "worker/options.h"

namespace manyarch::worker {

// `manyarch-worker doctor`: looks at everything a worker needs on this machine and writes what it
// finds, a line each, with what to do about what is missing. Harmless beside a running worker.
// False where no worker could run here.
bool Doctor(const Options& options, std::ostream& out);

}  // namespace manyarch::worker
