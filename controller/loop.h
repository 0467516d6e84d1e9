// The one thread that owns the farm.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "controller/engine.h"

namespace manyarch::controller {

// Takes whatever events are waiting as one batch, so that they share one transaction, however many
// they are. Thread-safe: Post may be called from anywhere, also before Start and after Stop (then
// events are dropped).
class Loop {
 public:
  Loop(core::FarmOptions options, core::ListBuilder list_builder, EnginePorts* ports);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Loads the farm and starts the thread.
  absl::Status Start();
  // Takes the events posted before, then ends the thread.
  void Stop();

  void Post(core::Event event);

 private:
  void Run();
  void RecoverUntilItWorks(absl::Status why);

  EnginePorts* const ports_;
  Engine engine_;  // Of the loop's thread, once that runs.

  // The standard mutex, because the thread sanitizer does not see through Debian's Abseil.
  std::mutex mutex_;
  std::condition_variable changed_;  // Of what follows, both guarded by mutex_.
  std::vector<core::Event> inbox_;
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace manyarch::controller
