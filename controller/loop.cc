#include "controller/loop.h"

#include <algorithm>

#include "common/base/backoff.h"

namespace manyarch::controller {

namespace {
constexpr absl::Duration kLongestWait = absl::Seconds(60);
}  // namespace

Loop::Loop(core::FarmOptions options, core::ListBuilder list_builder, EnginePorts* ports)
    : ports_(ports), engine_(options, std::move(list_builder), ports) {}

Loop::~Loop() { Stop(); }

absl::Status Loop::Start() {
  if (absl::Status status = engine_.Recover(); !status.ok()) return status;
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void Loop::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
}

void Loop::Post(core::Event event) {
  absl::MutexLock lock(&mutex_);
  inbox_.push_back(std::move(event));
}

// Nothing can be decided without a store: meanwhile callers are refused, all else will be told
// again.
void Loop::RecoverUntilItWorks(absl::Status why) {
  const Backoff backoff{absl::Milliseconds(100), absl::Seconds(5), 2.0};
  for (int retry = 0;; ++retry) {
    std::vector<core::Event> dropped;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.AwaitWithTimeout(absl::Condition(&stopping_), backoff.Delay(retry, 0.5));
      if (stopping_) return;
      dropped.swap(inbox_);
    }
    engine_.Refuse(dropped, why);
    why = engine_.Recover();
    if (why.ok()) return;
    ports_->StartOver(why);
  }
}

void Loop::Run() {
  std::vector<core::Event> batch;
  while (true) {
    const absl::Duration wait = std::clamp(engine_.NextDeadline() - ports_->now().steady,
                                           absl::ZeroDuration(), kLongestWait);
    {
      absl::MutexLock lock(&mutex_);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !inbox_.empty() || stopping_;
      };
      mutex_.AwaitWithTimeout(absl::Condition(&ready), wait);
      if (inbox_.empty() && stopping_) return;
      batch.swap(inbox_);
    }
    const absl::Status status = engine_.Turn(batch);
    batch.clear();
    if (status.ok()) continue;
    RecoverUntilItWorks(status);
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
  }
}

}  // namespace manyarch::controller
