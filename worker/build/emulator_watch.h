// Programs that have crashed under qemu and do not end.
#pragma once

#include <string>
#include <thread>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "common/os/stop_token.h"

namespace manyarch::worker {

// What a watch has found and killed.
struct CrashedEmulator {
  int signal = 0;    // Of which it would have died; 0: nothing was found.
  std::string arch;  // Whose programs it runs; empty where its name does not tell.
};

// Whose crashes count.
enum class Watched {
  kAll,    // Every process is an emulator, or a child of one.
  kQemus,  // Only what is called like one of qemu's emulators: the others are programs like any.
};

// qemu dies of its program's fatal signal by sending it to itself and waiting for it. A RUN's
// program is the first process of its container, and such a one the kernel spares its own signals
// (pid_namespaces(7)): the emulator would wait for ever. Looks for that in the cgroup of that name
// and all below it, in a thread of its own, and kills it, until it is stopped. One user at a time.
class EmulatorWatch {
 public:
  EmulatorWatch(std::string cgroup, Watched watched, absl::Duration interval = absl::Seconds(2));
  ~EmulatorWatch();
  EmulatorWatch(const EmulatorWatch&) = delete;
  EmulatorWatch& operator=(const EmulatorWatch&) = delete;

  // Ends it. The last one that was killed.
  CrashedEmulator Stop();

 private:
  void Look();

  const std::string cgroup_;
  const Watched watched_;
  CrashedEmulator crashed_;  // The thread's until that has ended.
  StopToken over_;
  std::thread thread_;
};

// The signal that one of the process's threads waits for and that it is spared, by the process's
// directory in /proc; 0 for every other process.
int AwaitedCrash(const std::string& process);

}  // namespace manyarch::worker
