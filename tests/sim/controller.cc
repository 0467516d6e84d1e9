#include "tests/sim/controller.h"

namespace manyarch::sim {

SimController::SimController(RunContext* run, SimStore* store, SimRegistry* registry,
                             core::FarmOptions options)
    : run_(run),
      store_(store),
      epoch_(++store->epoch),
      // A new process has a new steady clock.
      steady_offset_(run->chance.Between(absl::ZeroDuration(), absl::Hours(500))),
      publisher_(std::make_unique<SimPublisher>(
          run, registry, [this](core::Event event) { Post(std::move(event)); })),
      lost_after_(options.lost_after),
      engine_(options, BuildSimList, this) {
  run_->Trace("controller starts, epoch ", epoch_);
  Recover();
}

void SimController::Crash() {
  run_->Trace("controller is killed");
  alive_ = false;
  publisher_->Die();
  for (auto& [id, session] : sessions_) session.stream->Close(/*by_worker=*/false);
  sessions_.clear();
}

void SimController::Overtaken(absl::Duration pause) {
  run_->Trace("controller stands still for ", absl::FormatDuration(pause),
              " and is taken for dead");
  publisher_->Die();
  stands_until_ = run_->scheduler.now() + pause;
  run_->scheduler.At(stands_until_, [this] { Turn(); });
  // Should it learn nothing for want of anything to commit, it is found and ended.
  run_->scheduler.At(stands_until_ + absl::Minutes(1), [this] {
    if (alive_) Crash();
  });
}

core::Now SimController::now() {
  // Now and then somebody sets the clock.
  if (run_->Luck(500)) {
    wall_skew_ = run_->chance.Between(absl::Hours(-3), absl::Hours(3));
  }
  return {run_->scheduler.now() + wall_skew_, run_->scheduler.now() - steady_offset_};
}

void SimController::Recover() {
  if (!alive_) return;
  const absl::Status status = engine_.Recover();
  if (status.ok()) {
    ready_ = true;
    ScheduleTick();
    ScheduleTurn();
    return;
  }
  if (!alive_) return;
  if (absl::IsAborted(status)) {
    Crash();
    return;
  }
  StartOver(status);
  run_->scheduler.After(absl::Milliseconds(200), [this] {
    std::vector<core::Event> dropped;
    dropped.swap(inbox_);
    engine_.Refuse(dropped, absl::UnavailableError("no store"));
    Recover();
  });
}

void SimController::Post(core::Event event) {
  if (!alive_) return;
  inbox_.push_back(std::move(event));
  if (ready_) ScheduleTurn();
}

void SimController::ScheduleTurn() {
  if (turn_scheduled_ || inbox_.empty()) return;
  turn_scheduled_ = true;
  run_->scheduler.After(run_->chance.Between(absl::ZeroDuration(), absl::Milliseconds(4)), [this] {
    turn_scheduled_ = false;
    Turn();
  });
}

void SimController::ScheduleTick() {
  const absl::Time due = engine_.NextDeadline() + steady_offset_;
  if (due >= tick_at_ || due == absl::InfiniteFuture()) return;
  tick_at_ = due;
  run_->scheduler.At(due, [this, due] {
    if (tick_at_ != due) return;
    tick_at_ = absl::InfiniteFuture();
    if (ready_) Turn();
  });
}

void SimController::Turn() {
  if (!alive_ || !ready_ || Standing()) return;
  std::vector<core::Event> batch;
  batch.swap(inbox_);
  const absl::Status status = engine_.Turn(batch);
  if (!alive_) return;
  if (!status.ok()) {
    ready_ = false;
    tick_at_ = absl::InfiniteFuture();
    run_->scheduler.After(absl::Milliseconds(100), [this] { Recover(); });
    return;
  }
  ScheduleTick();
}

absl::StatusOr<core::FarmState> SimController::Load() { return store_->Load(epoch_); }

absl::Status SimController::Commit(const core::Farm& farm, const core::Effects& effects) {
  if (!run_->Luck(400)) return store_->Commit(epoch_, farm, effects);
  switch (run_->chance.Below(3)) {
    case 0:
      run_->Trace("controller dies before a commit");
      break;
    case 1: {
      const bool synced = run_->chance.OneIn(2);
      run_->Trace("controller dies during a commit, which is ", synced ? "synced" : "not synced");
      if (store_->Write(epoch_, farm, effects).ok() && synced) store_->Sync();
      store_->LoseUnsynced();
      break;
    }
    default:
      run_->Trace("controller dies after a commit");
      (void)store_->Commit(epoch_, farm, effects);
      break;
  }
  Crash();
  return absl::UnavailableError("killed");
}

void SimController::StartOver(const absl::Status&) {
  publisher_->StartOver();
  std::map<uint64_t, Session> sessions;
  sessions.swap(sessions_);
  for (auto& [id, session] : sessions) session.stream->Close(/*by_worker=*/false);
}

void SimController::CarryOut(const core::Effect& effect) {
  // A process may die between any two effects.
  if (alive_ && run_->Luck(3000)) Crash();
  if (!alive_) return;
  std::visit([this](const auto& e) { On(e); }, effect);
}

void SimController::Submit(core::Submit event,
                           std::function<void(absl::Status, std::string)> answer) {
  if (!alive_ || Standing()) return;
  const std::string known = store_->FindSubmission(event.idempotency_key);
  if (!known.empty()) {
    const bool same = store_->jobs.at(known).request_hash == event.request_hash;
    answer(same ? absl::OkStatus() : absl::AlreadyExistsError("the key is taken"), known);
    return;
  }
  event.call = ++last_call_;
  calls_[event.call] = std::move(answer);
  Post(std::move(event));
}

void SimController::Cancel(core::Cancel event,
                           std::function<void(absl::Status, std::string)> answer) {
  if (!alive_) return;
  event.call = ++last_call_;
  calls_[event.call] = std::move(answer);
  Post(std::move(event));
}

void SimController::SetAdmission(core::SetAdmission event) {
  if (!alive_) return;
  event.call = ++last_call_;
  Post(std::move(event));
}

uint64_t SimController::Accept(std::shared_ptr<SimStream> stream,
                               std::function<void(ToWorker)> deliver) {
  const uint64_t session = ++last_session_;
  stream->controller_end.on_closed = [this, session] {
    sessions_.erase(session);
    Post(core::WorkerGone{session});
  };
  sessions_[session] = {std::move(stream), std::move(deliver), run_->scheduler.now()};
  return session;
}

void SimController::Receive(uint64_t session, core::Event event) {
  const auto it = sessions_.find(session);
  if (!alive_ || it == sessions_.end()) return;
  it->second.heard = run_->scheduler.now();
  Post(std::move(event));
}

void SimController::ReceiveHeartbeat(uint64_t session, int64_t sequence) {
  const auto it = sessions_.find(session);
  if (!alive_ || it == sessions_.end()) return;
  it->second.heard = run_->scheduler.now();
  Post(core::WorkerHeard{session});
  if (Standing()) return;
  Tell(session, worker::core::HeartbeatAnswered{0, sequence});
}

void SimController::Tell(uint64_t session, ToWorker message) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return;
  const auto deliver = it->second.deliver;
  it->second.stream->Send(/*to_worker=*/true,
                          [deliver, message = std::move(message)] { deliver(message); });
}

void SimController::On(const core::Answer& e) {
  const auto it = calls_.find(e.call);
  if (it == calls_.end()) return;
  const auto answer = std::move(it->second);
  calls_.erase(it);
  answer(e.status, e.job_id);
}

void SimController::On(const core::SendHelloAnswer& e) {
  worker::core::HelloAnswered message;
  message.epoch = e.epoch;
  message.heartbeat_interval = absl::Seconds(5);
  for (const auto& [id, verdict] : e.verdicts) {
    if (verdict == core::Verdict::kAbandon) CheckAbandoned(id);
    if (verdict == core::Verdict::kAcknowledged) CheckAcknowledged(id);
    message.verdicts.push_back({id, static_cast<worker::core::Verdict>(verdict), 0});
  }
  run_->Trace("session ", e.session, " is greeted, ", e.verdicts.size(), " verdicts");
  Tell(e.session, std::move(message));
}

void SimController::On(const core::SendOffer& e) {
  run_->Trace(e.attempt_id, " is offered on session ", e.session);
  if (store_->FindAttempt(e.attempt_id) == nullptr) {
    run_->Violated("attempt ", e.attempt_id, " was offered before it was durable");
  }
  Tell(e.session,
       worker::core::Offered{0, e.attempt_id,
                             absl::StrCat(ToString(e.platform), "|", e.spec->options), ""});
}

void SimController::On(const core::SendAbandon& e) {
  run_->Trace(e.attempt_id, " is abandoned: ", e.reason);
  CheckAbandoned(e.attempt_id);
  Tell(e.session, worker::core::Abandoned{0, e.attempt_id, e.reason});
}

void SimController::On(const core::SendAcknowledged& e) {
  run_->Trace(e.attempt_id, " is acknowledged");
  CheckAcknowledged(e.attempt_id);
  Tell(e.session, worker::core::Acknowledged{0, e.attempt_id});
}

void SimController::On(const core::CloseSession& e) {
  const auto it = sessions_.find(e.session);
  if (it == sessions_.end()) return;
  const Session session = it->second;
  // P9: a lease ends by silence, and by nothing else.
  const absl::Duration silent = run_->scheduler.now() - session.heard;
  if (absl::IsUnavailable(e.reason) && silent < lost_after_) {
    run_->Violated("session ", e.session, " was ended as lost though its worker spoke ",
                   absl::FormatDuration(silent), " before");
  }
  Tell(e.session,
       worker::core::Disconnected{0, std::string(e.reason.message()),
                                  e.reason.code() == absl::StatusCode::kAlreadyExists ||
                                      e.reason.code() == absl::StatusCode::kFailedPrecondition});
  sessions_.erase(e.session);
  session.stream->Close(/*by_worker=*/false);
  Post(core::WorkerGone{e.session});
}

void SimController::On(const core::Explained&) {}

void SimController::On(const core::CheckImage& e) { publisher_->CarryOut(e); }

// P2, P3: an image gets its tag once it has won, durably.
void SimController::On(const core::WriteAnchor& e) {
  const core::Job* job = store_->FindWinnersJob(e.image.digest);
  if (job == nullptr || job->id != e.job_id) {
    run_->Violated(e.image.digest, " is to be tagged before it has durably won");
  }
  publisher_->CarryOut(e);
}

void SimController::On(const core::Publish& e) {
  run_->Trace(e.job_id, " is to be published");
  const auto job = store_->jobs.find(e.job_id);
  const auto* publishing =
      job == store_->jobs.end() ? nullptr : std::get_if<core::JobPublishing>(&job->second.state);
  if (publishing == nullptr || publishing->intent.digest != e.intent.digest) {
    run_->Violated("job ", e.job_id, " is to be published before its intent is durable");
  }
  publisher_->CarryOut(e);
}

// P9: what is still wanted is not ended.
void SimController::CheckAbandoned(const std::string& attempt_id) {
  const core::Attempt* attempt = store_->FindAttempt(attempt_id);
  if (attempt != nullptr && std::holds_alternative<core::AttemptRunning>(attempt->state)) {
    run_->Violated("attempt ", attempt_id, " is abandoned, and the store says that it runs");
  }
}

void SimController::CheckAcknowledged(const std::string& attempt_id) {
  const core::Attempt* attempt = store_->FindAttempt(attempt_id);
  if (attempt == nullptr || core::IsTerminal(attempt->state) ||
      std::holds_alternative<core::AttemptVerifying>(attempt->state)) {
    return;
  }
  run_->Violated("the result of ", attempt_id, " is acknowledged and is not durable");
}

}  // namespace manyarch::sim
