#include "controller/publish/strands.h"

#include <utility>

namespace manyarch::controller::publish {

Strands::Strands(int threads) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Strands::~Strands() { Stop(); }

void Strands::Add(const std::string& key, std::function<void()> task) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  if (!key.empty()) {
    const auto [place, first] = waiting_.try_emplace(key);
    if (!first) {
      place->second.push_back({key, std::move(task)});
      return;
    }
  }
  ready_.push_back({key, std::move(task)});
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
      task = std::move(ready_.front());
      ready_.pop_front();
    }
    task.run();
    if (task.key.empty()) continue;
    absl::MutexLock lock(&mutex_);
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
