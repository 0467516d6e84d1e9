#include "worker/agent.h"

#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"
#include "common/os/failpoint.h"
#include "spdlog/spdlog.h"
#include "worker/link/wire.h"

namespace manyarch::worker {

namespace {

// A clock that nobody sets: the core's intervals do not jump with the machine's time.
absl::Time SteadyNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

std::string Text(const absl::Status& status) { return std::string(status.message()); }

}  // namespace

Agent::Agent(Options options, StateDir* state, AttemptRunner* runner)
    : options_(std::move(options)), state_(state), runner_(runner) {
  options_.description.set_id(state_->worker_id());
  options_.description.set_slots(options_.config.slots);
}

Agent::~Agent() = default;

absl::Status Agent::Run() {
  MA_RETURN_IF_ERROR(Annotate(runner_->CleanUpAll(state_->attempts_dir()),
                              "cleaning up after the last run of this worker"));
  MA_ASSIGN_OR_RETURN(std::vector<core::FinishedAttempt> restored, state_->Restore());

  link::Identity identity{options_.description, absl::StrCat(absl::Hex(RandomBits()))};
  link_ = std::make_unique<link::Link>(options_.controller, std::move(identity),
                                       [this](core::Event event) { Post(std::move(event)); });
  for (core::FinishedAttempt& f : restored) {
    spdlog::info("attempt {}: its result is still to be acknowledged", f.attempt_id);
    auto log = link::LogSpool::Open(state_->LogPath(f.attempt_id), options_.log_spool_limit);
    if (log.ok()) {
      link_->AddLog(f.attempt_id, *std::move(log));
    } else {
      spdlog::error("attempt {}: {}; its log is lost", f.attempt_id, Text(log.status()));
      f.log_size = 0;
    }
  }
  slots_ =
      std::make_unique<Slots>(options_.config.slots, runner_,
                              Slots::Sink{[this](core::Event event) { Post(std::move(event)); },
                                          [this] { link_->PokeLogs(); }});
  core_ = std::make_unique<core::Worker>(options_.config, std::move(restored), RandomBits());
  while (!exit_) {
    for (const core::Event& event : TakeEvents(core_->NextDeadline())) Handle(event);
    Handle(core::Tick{});
  }
  link_->Close(absl::Seconds(2));
  return absl::OkStatus();
}

void Agent::Post(core::Event event) {
  absl::MutexLock lock(&mutex_);
  inbox_.push_back(std::move(event));
  arrived_.Signal();
}

std::deque<core::Event> Agent::TakeEvents(absl::Time deadline) {
  absl::MutexLock lock(&mutex_);
  while (inbox_.empty()) {
    const absl::Duration left = deadline - SteadyNow();
    if (left <= absl::ZeroDuration()) break;
    arrived_.WaitWithTimeout(&mutex_, left);
  }
  return std::exchange(inbox_, {});
}

void Agent::SetDescription(v1::WorkerDescription description) {
  description.set_id(state_->worker_id());
  description.set_slots(options_.config.slots);
  {
    absl::MutexLock lock(&mutex_);
    next_description_ = std::move(description);
  }
  Post(core::DescriptionChanged{});
}

void Agent::TakeDescription() {
  absl::MutexLock lock(&mutex_);
  options_.description = next_description_;
  link_->SetDescription(next_description_);
}

void Agent::Handle(const core::Event& event) {
  if (std::holds_alternative<core::DescriptionChanged>(event)) TakeDescription();
  Narrate(event);
  for (const core::Effect& effect : core_->Step(event, SteadyNow())) {
    std::visit([this](const auto& e) { Do(e); }, effect);
  }
}

void Agent::Do(const core::DropConnection& e) {
  spdlog::warn("{}; connecting again", e.reason);
  link_->Do(e);
}

void Agent::Do(const core::SendOfferAnswer& e) {
  if (!e.accepted) spdlog::warn("attempt {} is refused: {}", e.attempt_id, e.reason);
  link_->Do(e);
  MANYARCH_FAILPOINT("worker/after-answer");
}

void Agent::Do(const core::StartAttempt& e) {
  const absl::Status status = Start(e);
  if (status.ok()) return;
  v1::Finished finished;
  finished.set_attempt_id(e.attempt_id);
  v1::Failure& failure = *finished.mutable_failure();
  failure.set_class_(v1::FAILURE_CLASS_INFRASTRUCTURE);
  failure.set_message(absl::StrCat("worker ", options_.description.name(),
                                   " could not start the attempt: ", Text(status)));
  Post(core::AttemptFinished{link::FromWire(finished)});
}

absl::Status Agent::Start(const core::StartAttempt& e) {
  AttemptContext attempt;
  if (!attempt.offer.ParseFromString(e.order)) return absl::InternalError("the order is garbled");
  MANYARCH_FAILPOINT("worker/before-order");
  MA_RETURN_IF_ERROR(state_->AddAttempt(attempt.offer));
  MANYARCH_FAILPOINT("worker/after-order");
  MA_ASSIGN_OR_RETURN(
      std::shared_ptr<link::LogSpool> log,
      link::LogSpool::Open(state_->LogPath(e.attempt_id), options_.log_spool_limit));
  attempt.slot = e.slot;
  attempt.attempt_dir = state_->AttemptDir(e.attempt_id);
  const v1::Platform& p = attempt.offer.platform();
  spdlog::info("attempt {}: {}{} for {}, in slot {}", e.attempt_id,
               ToString(NormalPlatform(p.os(), p.arch(), p.variant())),
               attempt.offer.emulated() ? " (emulated)" : "", attempt.offer.repository(), e.slot);
  link_->AddLog(e.attempt_id, log);
  slots_->Start(std::move(attempt), std::move(log));
  return absl::OkStatus();
}

void Agent::Do(const core::StopAttempt& e) {
  spdlog::info("attempt {} is stopped: {}", e.attempt_id, e.reason);
  slots_->Stop(e.attempt_id, e.reason);
}

void Agent::Do(const core::KeepResult& e) {
  NarrateResult(e.finished);
  MANYARCH_FAILPOINT("worker/before-result");
  if (const absl::Status status = state_->KeepResult(e.finished); !status.ok()) {
    spdlog::error("attempt {}: its result would not survive a restart of this worker: {}",
                  e.finished.attempt_id, Text(status));
  }
  MANYARCH_FAILPOINT("worker/after-result");
}

void Agent::Do(const core::ForgetAttempt& e) {
  MANYARCH_FAILPOINT("worker/before-forget");
  link_->RemoveLog(e.attempt_id);
  if (const absl::Status status = state_->Forget(e.attempt_id); !status.ok()) {
    spdlog::error("removing what attempt {} left: {}", e.attempt_id, Text(status));
  }
  MANYARCH_FAILPOINT("worker/after-forget");
}

void Agent::Do(const core::Exit&) { exit_ = true; }

void Agent::Narrate(const core::Event& event) {
  if (std::holds_alternative<core::HelloAnswered>(event)) {
    spdlog::info("in session with the controller at {}", options_.controller);
    told_reason_.clear();
  } else if (const auto* gone = std::get_if<core::Disconnected>(&event)) {
    // Once per reason, not with every dial.
    if (gone->connection != core_->CurrentConnection() || gone->reason == told_reason_) return;
    told_reason_ = gone->reason;
    if (gone->refused) {
      spdlog::error("the controller at {} refuses this worker: {}; retrying", options_.controller,
                    gone->reason);
    } else {
      spdlog::warn("waiting for the controller at {}: {}; retrying", options_.controller,
                   gone->reason);
    }
  } else if (std::holds_alternative<core::DrainRequested>(event)) {
    spdlog::info(
        "draining: {} attempts to finish and report; a second signal gives running builds back",
        core_->attempts().size());
  } else if (std::holds_alternative<core::HandBackRequested>(event)) {
    spdlog::info("stopping: running builds are given back");
  }
}

void Agent::NarrateResult(const core::FinishedAttempt& finished) {
  const v1::Finished result = link::ToWire(finished);
  if (result.has_image()) {
    spdlog::info("attempt {}: pushed {}@{}", finished.attempt_id, result.image().repository(),
                 result.image().digest());
  } else if (result.has_failure()) {
    spdlog::info("attempt {} failed: {}", finished.attempt_id, result.failure().message());
  } else {
    spdlog::info("attempt {} was stopped", finished.attempt_id);
  }
}

}  // namespace manyarch::worker
