// The processes of `manyarch dev`: registry, controller, worker.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/signals.h"
#include "common/os/subprocess.h"

namespace manyarch::cli {

// A started program and where it writes what it says.
struct Part {
  std::string name;  // "controller"
  std::string log;
  std::unique_ptr<ChildProcess> process;
};

// The parts in the order in which they were started. They die with this process, however it ends;
// when the object goes they are killed, so a clean end needs Stop() before. One user at a time,
// always on the thread that made it: the kernel ties the children to that.
class DevFarm {
 public:
  explicit DevFarm(std::string log_dir) : log_dir_(std::move(log_dir)) {}

  // The log of an earlier run is kept as NAME.log.old.
  absl::Status Start(const std::string& name, const Command& command);

  // OK while all parts run; else which one ended, how, and the end of its log.
  absl::Status CheckAlive();

  // Asks `ready` again and again until it says yes. ABORTED: a signal asked to stop. Else an error
  // when a part died or `patience` ran out.
  absl::Status WaitUntil(const std::string& what, absl::Duration patience, SignalWaiter& signals,
                         const std::function<bool()>& ready);

  // Runs until a signal comes (OK) or a part dies (its error).
  absl::Status Watch(SignalWaiter& signals);

  // Last started, first stopped. With `finish_builds` the worker finishes what it builds, until a
  // further signal makes it hand that back; one more signal kills all that is left.
  void Stop(SignalWaiter& signals, bool finish_builds);

  const std::vector<Part>& parts() const { return parts_; }

 private:
  const std::string log_dir_;
  std::vector<Part> parts_;
};

}  // namespace manyarch::cli
