// The one thread that owns the farm.
#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "controller/engine.h"

namespace manyarch::controller {

// Takes whatever events are waiting as one batch, so that they share one transaction, however many
// they are. What somebody waits for is taken at once; the rest waits a little for company, for each
// batch costs a sync, and the next call has to wait meanwhile. Thread-safe: Post may be called from
// anywhere, also before Start and after Stop (then events are dropped).
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
  using Clock = std::chrono::steady_clock;

  void Run();
  // Waits for events, or for as long as that, and takes what there is. False: it is over.
  bool Take(absl::Duration longest, std::vector<core::Event>& batch);
  void RecoverUntilItWorks(absl::Status why);

  EnginePorts* const ports_;
  Engine engine_;  // Of the loop's thread, once that runs.

  // The standard mutex, because the thread sanitizer does not see through Debian's Abseil.
  std::mutex mutex_;
  std::condition_variable changed_;  // Of what follows, all guarded by mutex_.
  std::vector<core::Event> inbox_;
  Clock::time_point due_ = Clock::time_point::max();  // When they are taken at the latest.
  Clock::time_point taken_;                           // When the last ones were.
  bool stopping_ = false;
  std::thread thread_;
};

}  // namespace manyarch::controller
