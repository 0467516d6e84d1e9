// From options to a running worker.
#pragma once

#include "absl/status/status.h"
#include "worker/options.h"

namespace manyarch::worker {

// Takes the state directory, finds out what this machine can do, and serves until a signal ends it:
// the first SIGTERM or SIGINT drains, the second gives running builds back. BlockSignals was
// called.
absl::Status RunWorker(const Options& options);

}  // namespace manyarch::worker
