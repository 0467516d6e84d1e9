#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace manyarch::controller::publish {

// Threads that run tasks. Tasks that share a key run one after the other, in the order in which
// they were added; others run at the same time. Thread-safe.
class Strands {
 public:
  explicit Strands(int threads);
  // Stops.
  ~Strands();

  // The task runs once it is the first of each of its keys. Without keys it waits for no other. No
  // key may be there twice. After Stop tasks are dropped.
  void Add(const std::vector<std::string>& keys, std::function<void()> run)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops what has not begun and waits for what has. May be called again.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    std::vector<std::string> keys;
    std::function<void()> run;
    size_t behind = 0;  // Keys that others have, for now.
  };
  using TaskPtr = std::shared_ptr<Task>;
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void Release(const Task& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Wakes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !ready_.empty(); }

  absl::Mutex mutex_;
  std::deque<TaskPtr> ready_ ABSL_GUARDED_BY(mutex_);
  // By key, those who want it, in order; the first one has it, be it ready, running, or behind
  // others elsewhere. All keys are taken at once, so nobody waits in a circle.
  absl::flat_hash_map<std::string, std::deque<TaskPtr>> queues_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace manyarch::controller::publish
