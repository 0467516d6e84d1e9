#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace manyarch::controller::publish {

// Threads that run tasks. Tasks that share a key run one after the other, in the order in which
// they were added; others run at the same time. Tasks of one group, which is the first key up to
// its first '/' unless another one is given, never have more than half of the threads: a registry
// that is slow does not hold up the others. Thread-safe.
class Strands {
 public:
  explicit Strands(int threads);
  // Stops.
  ~Strands();

  // The task runs once it is the first of each of its keys. Without keys it waits for no other. No
  // key may be there twice. After Stop tasks are dropped.
  void Add(const std::vector<std::string>& keys, std::function<void()> run,
           const std::string& group = "") ABSL_LOCKS_EXCLUDED(mutex_);
  // Drops what has not begun and waits for what has. May be called again.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Task {
    std::vector<std::string> keys;
    std::string group;
    std::function<void()> run;
    size_t behind = 0;  // Keys that others have, for now.
  };
  using TaskPtr = std::shared_ptr<Task>;
  struct Group {
    std::deque<TaskPtr> ready;
    int running = 0;
    bool in_turn = false;  // Is in turns_.
  };
  void Work() ABSL_LOCKS_EXCLUDED(mutex_);
  void MakeReady(TaskPtr task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Lets a group that has something to run, and may, take its turn.
  void Consider(const std::string& name, Group& group) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  TaskPtr Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Release(const Task& task) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int most_of_a_group_;
  absl::Mutex mutex_;
  absl::CondVar changed_;  // Signalled for each group that comes into turns_, and at the stop.
  // By key, those who want it, in order; the first one has it, be it ready, running, or behind
  // others elsewhere. All keys are taken at once, so nobody waits in a circle.
  absl::flat_hash_map<std::string, std::deque<TaskPtr>> queues_ ABSL_GUARDED_BY(mutex_);
  // Those with anything ready or running.
  absl::node_hash_map<std::string, Group> groups_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> turns_ ABSL_GUARDED_BY(mutex_);  // Groups that may run one more.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace manyarch::controller::publish
