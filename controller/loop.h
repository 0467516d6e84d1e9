// The one thread that owns the farm: events → core → commit → effects.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "controller/core/farm.h"

namespace manyarch::controller {

// What the loop needs of the rest of the controller. All but `now` is called on the loop's thread.
class LoopPorts {
 public:
  virtual ~LoopPorts() = default;

  virtual core::Now now() = 0;
  virtual absl::StatusOr<core::FarmState> Load() = 0;
  // Makes the changes durable; on an error nothing of them is.
  virtual absl::Status Commit(const core::Farm& farm, const core::Effects& effects) = 0;
  // Shows what has changed to those who watch, `effects.progress` too.
  virtual void Show(const core::Farm& farm, const core::Effects& effects) = 0;
  virtual void CarryOut(const core::Effect& effect) = 0;
  // Memory was ahead of the store and is thrown away: sessions shake hands again, nothing shown is
  // true.
  virtual void StartOver(const absl::Status& why) = 0;
};

// Takes whatever events are waiting as one batch, so that they share one transaction, however many
// they are. Thread-safe: Post may be called from anywhere, also before Start and after Stop (then
// events are dropped).
class Loop {
 public:
  Loop(core::FarmOptions options, core::ListBuilder list_builder, LoopPorts* ports);
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Loads the farm and starts the thread.
  absl::Status Start();
  // Finishes the batch in hand, then ends the thread. Events posted before are taken.
  void Stop();

  void Post(core::Event event);

 private:
  void Run();
  absl::Status Recover();
  void RecoverAfter(const absl::Status& failure, const core::Effects& effects);
  void RefuseCallers(const std::vector<core::Event>& events, const absl::Status& why);
  void Settle(core::Effects& effects);

  const core::FarmOptions options_;
  const core::ListBuilder list_builder_;
  LoopPorts* const ports_;

  absl::Mutex mutex_;
  std::vector<core::Event> inbox_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;

  std::unique_ptr<core::Farm> farm_;  // Of the loop's thread, once that runs.
  std::thread thread_;
};

}  // namespace manyarch::controller
