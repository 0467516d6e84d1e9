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
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Loop::Post(core::Event event) {
  {
    const std::lock_guard lock(mutex_);
    inbox_.push_back(std::move(event));
  }
  changed_.notify_one();
}

// Nothing can be decided without a store: meanwhile callers are refused, all else will be told
// again.
void Loop::RecoverUntilItWorks(absl::Status why) {
  const Backoff backoff{absl::Milliseconds(100), absl::Seconds(5), 2.0};
  for (int retry = 0;; ++retry) {
    std::vector<core::Event> dropped;
    {
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, absl::ToChronoNanoseconds(backoff.Delay(retry, 0.5)),
                        [this] { return stopping_; });
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
      std::unique_lock lock(mutex_);
      changed_.wait_for(lock, absl::ToChronoNanoseconds(wait),
                        [this] { return !inbox_.empty() || stopping_; });
      if (inbox_.empty() && stopping_) return;
      batch.swap(inbox_);
    }
    const absl::Status status = engine_.Turn(batch);
    batch.clear();
    if (status.ok()) continue;
    RecoverUntilItWorks(status);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

}  // namespace manyarch::controller
