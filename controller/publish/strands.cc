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

bool Strands::HasRoom(const Task& task) const {
  const auto running = running_.find(task.group);
  return running == running_.end() || running->second < most_of_a_group_;
}

bool Strands::Wakes() const {
  return stopping_ ||
         std::any_of(ready_.begin(), ready_.end(),
                     [this](const TaskPtr& task)
                         ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return HasRoom(*task); });
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
  if (task->behind == 0) ready_.push_back(task);
}

void Strands::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    ready_.clear();
    queues_.clear();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Strands::Release(const Task& task) {
  if (const auto running = running_.find(task.group); --running->second == 0) {
    running_.erase(running);
  }
  for (const std::string& key : task.keys) {
    const auto queue = queues_.find(key);
    if (queue == queues_.end()) continue;  // Stopped meanwhile.
    queue->second.pop_front();
    if (queue->second.empty()) {
      queues_.erase(queue);
    } else if (--queue->second.front()->behind == 0) {
      ready_.push_back(queue->second.front());
    }
  }
}

void Strands::Work() {
  while (true) {
    TaskPtr task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Strands::Wakes));
      if (stopping_) return;
      const auto next = std::find_if(
          ready_.begin(), ready_.end(),
          [this](const TaskPtr& t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return HasRoom(*t); });
      task = std::move(*next);
      ready_.erase(next);
      ++running_[task->group];
    }
    task->run();
    // What the task holds may wait for others when it is destroyed: not under the lock.
    task->run = nullptr;
    absl::MutexLock lock(&mutex_);
    Release(*task);
  }
}

}  // namespace manyarch::controller::publish
