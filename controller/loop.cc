#include "controller/loop.h"

#include <algorithm>

#include "common/base/backoff.h"

namespace manyarch::controller {

namespace {
constexpr absl::Duration kLongestWait = absl::Seconds(60);
// Between two batches, where nobody waits: less than anybody sees, and several syncs.
constexpr std::chrono::milliseconds kSpacing{1};
// Of heartbeats, which prolong leases of many seconds and change nothing else.
constexpr std::chrono::milliseconds kHeartbeatWait{100};

bool IsAwaited(const core::Event& event) {
  return std::visit(
      [](const auto& e) {
        return requires { e.call; };
      },
      event);
}
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
    const Clock::time_point now = Clock::now();
    Clock::time_point due = now;
    if (std::holds_alternative<core::WorkerHeard>(event)) {
      due = now + kHeartbeatWait;
    } else if (!IsAwaited(event)) {
      due = std::max(now, taken_ + kSpacing);
    }
    inbox_.push_back(std::move(event));
    if (due >= due_) return;
    due_ = due;
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
      due_ = Clock::time_point::max();
    }
    engine_.Refuse(dropped, why);
    why = engine_.Recover();
    if (why.ok()) return;
    ports_->StartOver(why);
  }
}

bool Loop::Take(absl::Duration longest, std::vector<core::Event>& batch) {
  std::unique_lock lock(mutex_);
  const Clock::time_point timer = Clock::now() + absl::ToChronoNanoseconds(longest);
  for (auto until = std::min(due_, timer); !stopping_ && Clock::now() < until;
       until = std::min(due_, timer)) {
    changed_.wait_until(lock, until);
  }
  if (inbox_.empty() && stopping_) return false;
  batch.swap(inbox_);
  due_ = Clock::time_point::max();
  taken_ = Clock::now();
  return true;
}

void Loop::Run() {
  std::vector<core::Event> batch;
  while (true) {
    const absl::Duration longest = std::clamp(engine_.NextDeadline() - ports_->now().steady,
                                              absl::ZeroDuration(), kLongestWait);
    if (!Take(longest, batch)) return;
    const absl::Status status = engine_.Turn(batch);
    batch.clear();
    if (status.ok()) continue;
    RecoverUntilItWorks(status);
    const std::lock_guard lock(mutex_);
    if (stopping_) return;
  }
}

}  // namespace manyarch::controller
