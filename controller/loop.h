// The one thread that owns the farm.
#pragma once

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
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

  absl::Mutex mutex_;
  std::vector<core::Event> inbox_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace manyarch::controller
