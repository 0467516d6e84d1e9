// Programs that have crashed under qemu and do not end.
#pragma once

#include <atomic>
#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/os/stop_token.h"

namespace manyarch::worker {

// qemu dies of its program's fatal signal by sending it to itself and waiting for it. A RUN's
// program is the first process of its container, and such a one the kernel spares its own signals
// (pid_namespaces(7)): the emulator would wait for ever. Looks for that in a cgroup, in a thread of
// its own, and kills it, until it is deleted.
class EmulatorWatch {
 public:
  explicit EmulatorWatch(std::string cgroup, absl::Duration interval = absl::Seconds(2));
  ~EmulatorWatch();
  EmulatorWatch(const EmulatorWatch&) = delete;
  EmulatorWatch& operator=(const EmulatorWatch&) = delete;

  // Of which the last one that was killed would have died; 0: none was. Thread-safe.
  int signal() const { return signal_; }

 private:
  void Look();

  const std::string cgroup_;
  std::atomic<int> signal_ = 0;
  StopToken over_;
  std::thread thread_;
};

// The signal that a process waits for which is spared it, by its /proc/PID/status; 0 for every
// other process. Pure.
int AwaitedCrash(absl::string_view proc_status);

}  // namespace manyarch::worker
