#include "controller/publish/strands.h"

#include <utility>

namespace manyarch::controller::publish {

Strands::Strands(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Strands::~Strands() { Stop(); }

void Strands::Add(const std::vector<std::string>& keys, std::function<void()> run) {
  const auto task = std::make_shared<Task>(Task{keys, std::move(run), 0});
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
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task->run();
    // What the task holds may wait for others when it is destroyed: not under the lock.
    task->run = nullptr;
    absl::MutexLock lock(&mutex_);
    Release(*task);
  }
}

}  // namespace manyarch::controller::publish
