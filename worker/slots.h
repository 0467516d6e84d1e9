// The threads that run attempts.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "common/os/stop_token.h"
#include "worker/build/attempt_runner.h"
#include "worker/core/events.h"
#include "worker/link/log_spool.h"

namespace manyarch::worker {

// One thread a slot, for as long as this object lives: what an attempt starts dies with the thread
// that started it. When an attempt has been reported, its thread has the runner prune, which is
// cut short when the slot has the next one to run. Thread-safe. The destructor stops what runs and
// waits for it.
class Slots {
 public:
  struct Sink {
    std::function<void(core::Event)> event;  // AttemptStateChanged, AttemptFinished.
    std::function<void()> log_grew;
  };

  Slots(int count, AttemptRunner* runner, Sink sink);
  ~Slots();
  Slots(const Slots&) = delete;
  Slots& operator=(const Slots&) = delete;

  void Start(AttemptContext attempt, std::shared_ptr<link::LogSpool> log);
  // Nothing happens where it is over already.
  void Stop(const std::string& attempt_id, const std::string& reason);

 private:
  struct Job {
    AttemptContext attempt;
    std::shared_ptr<link::LogSpool> log;
    std::shared_ptr<StopToken> stop;
  };
  class Observer;

  void RunSlot(int slot);
  void Prune(int slot);
  void Report(const Job& job, v1::Finished finished);
  bool HasWork(int slot) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return closing_ || !waiting_[slot].empty();
  }

  AttemptRunner* const runner_;
  const Sink sink_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::vector<std::deque<Job>> waiting_ ABSL_GUARDED_BY(mutex_);  // By slot.
  std::vector<StopToken*> prunes_ ABSL_GUARDED_BY(mutex_);        // By slot; null: it does not.
  std::map<std::string, std::shared_ptr<StopToken>> stops_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace manyarch::worker
