#include "controller/publish/strands.h"

#include <algorithm>
#include <utility>

namespace manyarch::controller::publish {

Strands::Strands(int threads) : most_of_a_group_(std::max(1, threads / 2)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Strands::~Strands() { Stop(); }

bool Strands::HasRoom(const Task& task) const {
  const auto running = running_.find(task.group);
  return running == running_.end() || running->second < most_of_a_group_;
}

void Strands::Add(const std::string& key, std::function<void()> task, const std::string& group) {
  Task added{key, group.empty() ? key.substr(0, key.find('/')) : group, std::move(task)};
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  if (!key.empty()) {
    const auto [place, first] = waiting_.try_emplace(key);
    if (!first) {
      place->second.push_back(std::move(added));
      return;
    }
  }
  ready_.push_back(std::move(added));
}

void Strands::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    ready_.clear();
    waiting_.clear();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

void Strands::Work() {
  while (true) {
    Task task;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &Strands::Wakes));
      if (stopping_) return;
      const auto next = std::find_if(
          ready_.begin(), ready_.end(),
          [this](const Task& t) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return HasRoom(t); });
      task = std::move(*next);
      ready_.erase(next);
      ++running_[task.group];
    }
    task.run();
    absl::MutexLock lock(&mutex_);
    if (const auto running = running_.find(task.group); --running->second == 0) {
      running_.erase(running);
    }
    if (task.key.empty()) continue;
    const auto place = waiting_.find(task.key);
    if (place == waiting_.end()) continue;  // Stopped meanwhile.
    if (place->second.empty()) {
      waiting_.erase(place);
      continue;
    }
    ready_.push_back(std::move(place->second.front()));
    place->second.pop_front();
  }
}

}  // namespace manyarch::controller::publish
