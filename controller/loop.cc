#include "controller/loop.h"

#include <algorithm>

#include "common/base/backoff.h"

namespace manyarch::controller {

namespace {
constexpr absl::Duration kLongestWait = absl::Seconds(60);
}  // namespace

Loop::Loop(core::FarmOptions options, core::ListBuilder list_builder, LoopPorts* ports)
    : options_(options), list_builder_(std::move(list_builder)), ports_(ports) {}

Loop::~Loop() { Stop(); }

absl::Status Loop::Start() {
  const absl::Status status = Recover();
  if (!status.ok()) return status;
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

absl::Status Loop::Recover() {
  absl::StatusOr<core::FarmState> state = ports_->Load();
  if (!state.ok()) return state.status();
  const core::Now now = ports_->now();
  farm_ = std::make_unique<core::Farm>(options_, list_builder_, *std::move(state), now);
  core::Effects effects;
  farm_->Start(now, effects);
  for (const auto& [id, job] : farm_->jobs()) effects.progress.insert(id);
  for (const auto& [id, worker] : farm_->workers()) effects.workers_shown.insert(id);
  const absl::Status status =
      effects.NeedsCommit() ? ports_->Commit(*farm_, effects) : absl::OkStatus();
  if (!status.ok()) return status;
  Settle(effects);
  return absl::OkStatus();
}

// Shows and carries out what is durable now.
void Loop::Settle(core::Effects& effects) {
  ports_->Show(*farm_, effects);
  for (const core::Effect& effect : effects.out) ports_->CarryOut(effect);
  for (const std::string& id : effects.jobs) farm_->Forget(id);
}

void Loop::RefuseCallers(const std::vector<core::Event>& events, const absl::Status& why) {
  for (const core::Event& event : events) {
    if (const auto* submit = std::get_if<core::Submit>(&event)) {
      ports_->CarryOut(core::Answer{submit->call, why, ""});
    } else if (const auto* cancel = std::get_if<core::Cancel>(&event)) {
      ports_->CarryOut(core::Answer{cancel->call, why, cancel->job_id});
    }
  }
}

// The batch's callers get the error; the core is thrown away and loaded again.
void Loop::RecoverAfter(const absl::Status& failure, const core::Effects& effects) {
  for (const core::Effect& effect : effects.out) {
    if (const auto* answer = std::get_if<core::Answer>(&effect)) {
      ports_->CarryOut(core::Answer{answer->call, failure, answer->job_id});
    }
  }
  const Backoff backoff{absl::Milliseconds(100), absl::Seconds(5), 2.0};
  absl::Status why = failure;
  for (int retry = 0;; ++retry) {
    ports_->StartOver(why);
    why = Recover();
    if (why.ok()) return;
    // Nothing can be decided without a store: callers are told, all else will be told again.
    std::vector<core::Event> dropped;
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), backoff.Delay(retry, 0.5));
    if (stopping_) return;
    dropped.swap(inbox_);
    RefuseCallers(dropped, why);
  }
}

void Loop::Run() {
  std::vector<core::Event> batch;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const absl::Duration wait = std::clamp(farm_->NextDeadline() - ports_->now().steady,
                                             absl::ZeroDuration(), kLongestWait);
      const auto ready = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return !inbox_.empty() || stopping_;
      };
      mutex_.AwaitWithTimeout(absl::Condition(&ready), wait);
      if (inbox_.empty() && stopping_) return;
      batch.swap(inbox_);
    }
    core::Effects effects;
    const core::Now now = ports_->now();
    for (const core::Event& event : batch) farm_->Step(event, now, effects);
    if (farm_->NextDeadline() <= now.steady) farm_->Step(core::Tick{}, now, effects);
    batch.clear();
    const absl::Status status =
        effects.NeedsCommit() ? ports_->Commit(*farm_, effects) : absl::OkStatus();
    if (status.ok()) {
      Settle(effects);
    } else {
      RecoverAfter(status, effects);
    }
  }
}

}  // namespace manyarch::controller
