// Signals as values: blocked in every thread, taken one by one where the program waits for them.
#pragma once

#include <csignal>
#include <optional>

#include "absl/time/time.h"

namespace manyarch {

// Blocks SIGTERM, SIGINT and SIGHUP for this thread and all it starts, and ignores SIGPIPE. To be
// called first in main, before any thread. Subprocesses start with nothing blocked or ignored.
void BlockSignals();

// Takes the signals that BlockSignals blocks. Each signal goes to one waiter only.
class SignalWaiter {
 public:
  SignalWaiter();

  // The next one of SIGTERM, SIGINT, SIGHUP.
  int Wait();
  // The same, or nothing when `timeout` has passed.
  std::optional<int> WaitFor(absl::Duration timeout);

 private:
  sigset_t set_;
};

}  // namespace manyarch
