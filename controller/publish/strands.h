#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace manyarch::controller::publish {

// Threads that run tasks. Tasks of one key run one after the other, in the order in which they were
// added; tasks without a key, and of different keys, run at the same time. Tasks of one group,
// which is the key up to its first '/' unless another one is given, never have more than half of
// the threads: a registry that is slow does not hold up the others. Thread-safe.
class Strands {
 public:
  explicit Strands(int threads);
  // Stops.
  ~Strands();

  // `key` may be empty: then the task waits for no other. After Stop tasks are dropped.
  void Add(const std::string& key, std::function<void()> task, const std::string& group = "")
      ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops what has not begun and waits for what has. May be called again.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    std::string key;
    std::string group;
    std::function<void()> run;
  };
  bool HasRoom(const Task& task) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  bool Wakes() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return stopping_ || std::any_of(ready_.begin(), ready_.end(),
                                    [this](const Task& task) { return HasRoom(task); });
  }

  const int most_of_a_group_;
  absl::Mutex mutex_;
  std::deque<Task> ready_ ABSL_GUARDED_BY(mutex_);
  // A key is here while a task of it is ready or running; behind it, those that wait.
  absl::flat_hash_map<std::string, std::deque<Task>> waiting_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, int> running_ ABSL_GUARDED_BY(mutex_);  // By group.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace manyarch::controller::publish
