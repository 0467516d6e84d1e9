#include "controller/publish/strands.h"

#include <algorithm>
#include <utility>

namespace manyarch::controller::publish {

namespace {

std::string HostOf(const std::vector<std::string>& keys) {
  return keys.empty() ? "" : keys.front().substr(0, keys.front().find('/'));
}

}  // namespace

Strands::Strands(int threads) : most_of_a_group_(std::max(1, threads / 2)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Strands::~Strands() { Stop(); }

void Strands::Consider(const std::string& name, Group& group) {
  if (group.in_turn || group.ready.empty() || group.running >= most_of_a_group_) return;
  group.in_turn = true;
  turns_.push_back(name);
  changed_.Signal();
}

void Strands::MakeReady(TaskPtr task) {
  const std::string name = task->group;
  Group& group = groups_[name];
  group.ready.push_back(std::move(task));
  Consider(name, group);
}

void Strands::Add(const std::vector<std::string>& keys, std::function<void()> run,
                  const std::string& group) {
  const auto task =
      std::make_shared<Task>(Task{keys, group.empty() ? HostOf(keys) : group, std::move(run), 0});
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  for (const std::string& key : keys) {
    std::deque<TaskPtr>& queue = queues_[key];
    if (!queue.empty()) ++task->behind;
    queue.push_back(task);
  }
  if (task->behind == 0) MakeReady(task);
}

void Strands::Stop() {
  absl::flat_hash_map<std::string, std::deque<TaskPtr>> dropped;
  absl::node_hash_map<std::string, Group> dropped_groups;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    dropped.swap(queues_);
    dropped_groups.swap(groups_);
    turns_.clear();
    changed_.SignalAll();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

Strands::TaskPtr Strands::Take() {
  const std::string name = std::move(turns_.front());
  turns_.pop_front();
  Group& group = groups_.at(name);
  group.in_turn = false;
  TaskPtr task = std::move(group.ready.front());
  group.ready.pop_front();
  ++group.running;
  Consider(name, group);
  return task;
}

void Strands::Release(const Task& task) {
  if (stopping_) return;
  Group& group = groups_.at(task.group);
  --group.running;
  Consider(task.group, group);
  for (const std::string& key : task.keys) {
    const auto queue = queues_.find(key);
    queue->second.pop_front();
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else if (--queue->second.front()->behind == 0) {
      MakeReady(queue->second.front());
    }
  }
  if (group.running == 0 && group.ready.empty()) groups_.erase(task.group);
}

void Strands::Work() {
  while (true) {
    TaskPtr task;
    {
      absl::MutexLock lock(&mutex_);
      while (turns_.empty() && !stopping_) changed_.Wait(&mutex_);
      if (stopping_) return;
      task = Take();
    }
    task->run();
    // What the task holds may wait for others when it is destroyed: not under the lock.
    task->run = nullptr;
    absl::MutexLock lock(&mutex_);
    Release(*task);
  }
}

}  // namespace manyarch::controller::publish
