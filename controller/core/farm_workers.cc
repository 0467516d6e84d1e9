// Workers: sessions, leases, and what a Hello means for every attempt on both sides.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

constexpr absl::Duration kLossesCount = absl::Hours(24);  // For how long a loss is held against it.
constexpr size_t kMostLosses = 16;
constexpr absl::Duration kLeastSteady = absl::Minutes(15);
constexpr absl::Duration kSteady = absl::Hours(16);

}  // namespace

uint64_t Farm::SessionOf(const std::string& worker_id) const {
  const Worker* worker = pool_.Find(worker_id);
  if (worker == nullptr) return 0;
  if (const auto* connected = std::get_if<WorkerConnected>(&worker->state))
    return connected->session;
  if (const auto* suspect = std::get_if<WorkerSuspect>(&worker->state)) return suspect->session;
  return 0;
}

// The worker of a session that is still its newest one; renews its lease.
Worker* Farm::Heard(uint64_t session) {
  const auto it = sessions_.find(session);
  if (it == sessions_.end()) return nullptr;
  Worker* worker = pool_.Find(it->second);
  if (worker == nullptr) return nullptr;
  worker->last_heard = now_.steady;
  worker->last_seen_at = now_.wall;
  if (std::holds_alternative<WorkerSuspect>(worker->state)) {
    worker->state = WorkerConnected{session};
    At(now_.steady + options_.suspect_after, WorkerTimer{worker->description.id});
    Reindex(*worker);
    Dispatch(*pool_.ClassOf(worker->description.id));
  }
  return worker;
}

// Listings tell when it was last heard.
void Farm::On(const WorkerHeard& event) {
  if (const Worker* worker = Heard(event.session)) {
    effects_->workers_shown.insert(worker->description.id);
  }
}

void Farm::On(const WorkerGone& event) {
  const auto it = sessions_.find(event.session);
  if (it == sessions_.end()) return;
  Worker* worker = pool_.Find(it->second);
  sessions_.erase(it);
  if (worker == nullptr || SessionOf(worker->description.id) != event.session) return;
  worker->state = WorkerSuspect{};
  Reindex(*worker);
  At(worker->last_heard + options_.lost_after, WorkerTimer{worker->description.id});
}

// Ends the worker's older session, or refuses this one; false when refused.
bool Farm::AdmitSession(const WorkerHello& event) {
  const std::string& id = event.description.id;
  const Worker* worker = pool_.Find(id);
  const uint64_t old = SessionOf(id);
  if (worker == nullptr || old == 0) return true;
  const bool same_process = worker->incarnation == event.incarnation;
  if (!same_process && std::holds_alternative<WorkerConnected>(worker->state)) {
    Emit(CloseSession{
        event.session,
        absl::AlreadyExistsError(absl::StrCat(
            "a worker with the id ", id, " (", worker->description.name,
            ") is connected already; give each worker a state directory of its own, or "
            "wait until the other one is gone"))});
    return false;
  }
  sessions_.erase(old);
  Emit(CloseSession{old, absl::FailedPreconditionError(
                             absl::StrCat("a newer session of worker ", id, " took over"))});
  return true;
}

void Farm::On(const WorkerHello& event) {
  if (!AdmitSession(event)) return;
  const std::string& id = event.description.id;
  Worker* worker = pool_.Find(id);
  if (worker == nullptr) {
    Worker fresh;
    fresh.description.id = id;
    worker = &pool_.Insert(std::move(fresh));
  }
  worker->description = event.description;
  if (worker->known_since == absl::InfinitePast()) worker->known_since = now_.wall;
  pool_.Redescribe(*worker);
  Grade(*worker);
  worker->incarnation = event.incarnation;
  ++worker->epoch;
  worker->state = WorkerConnected{event.session};
  worker->last_heard = now_.steady;
  worker->last_seen_at = now_.wall;
  worker->stopping = event.draining;
  worker->not_ready = event.not_ready;
  sessions_[event.session] = id;
  effects_->workers.insert(id);
  At(now_.steady + options_.suspect_after, WorkerTimer{id});

  // Its answer comes before anything else that the reconciliation sends.
  const size_t at = effects_->out.size();
  SendHelloAnswer answer{event.session, worker->epoch, Reconcile(*worker, event)};
  effects_->out.insert(effects_->out.begin() + static_cast<std::ptrdiff_t>(at), std::move(answer));
  Reindex(*worker);
  WorkerChanged();
}

std::vector<std::pair<std::string, Verdict>> Farm::Reconcile(Worker& worker,
                                                             const WorkerHello& event) {
  const std::string& id = worker.description.id;
  std::vector<std::pair<std::string, Verdict>> verdicts;
  const absl::btree_set<std::string> expected = std::move(worker.occupied);
  worker.occupied.clear();
  // All that it still runs holds its slots, before anything new is decided.
  worker.expected_end.clear();
  for (const std::string& attempt_id : expected) Release(attempt_id);
  for (const RunningAttempt& running : event.running) {
    worker.occupied.insert(running.attempt_id);
    if (const std::optional<Place> place = FindAttempt(running.attempt_id)) {
      Occupy(worker, *place->job, place->build, place->ref());
    }
  }
  Reindex(worker);

  for (const RunningAttempt& running : event.running) {
    const std::optional<Place> place = FindAttempt(running.attempt_id);
    const bool wanted = place && place->ref().worker == id && !IsTerminal(place->ref().state) &&
                        !std::holds_alternative<AttemptVerifying>(place->ref().state);
    verdicts.emplace_back(running.attempt_id, wanted ? Verdict::kGoOn : Verdict::kAbandon);
    if (wanted) Revive(*place, running.phase);
  }
  for (const FinishedAttempt& finished : event.finished) {
    const std::optional<Place> place = FindAttempt(finished.attempt_id);
    verdicts.emplace_back(finished.attempt_id, Verdict::kAcknowledged);
    if (place && place->ref().worker == id) TakeResult(finished);
  }
  bool any_lost = false;
  for (const std::string& attempt_id : expected) {
    if (worker.occupied.contains(attempt_id)) continue;
    const std::optional<Place> place = FindAttempt(attempt_id);
    if (!place || !IsOnWorker(place->ref().state)) continue;
    const bool started = std::holds_alternative<AttemptRunning>(place->ref().state);
    LoseAttempt(*place,
                started ? absl::StrCat(worker.description.name,
                                       " came back without it: the worker was stopped or restarted")
                        : absl::StrCat("the offer never reached ", worker.description.name),
                /*counts=*/started);
    any_lost |= started;
  }
  if (any_lost) NoteLoss(worker);
  return verdicts;
}

void Farm::On(const WorkerReadiness& event) {
  Worker* worker = Heard(event.session);
  if (worker == nullptr || worker->not_ready == event.not_ready) return;
  worker->not_ready = event.not_ready;
  effects_->workers_shown.insert(worker->description.id);
  Reindex(*worker);
  WorkerChanged(true);
}

void Farm::On(const WorkerDrains& event) {
  Worker* worker = Heard(event.session);
  if (worker == nullptr) return;
  if (!worker->stopping) {
    worker->stopping = true;
    Reindex(*worker);
    WorkerChanged(true);
  }
  for (const std::string& attempt_id : event.hand_back) {
    const std::optional<Place> place = FindAttempt(attempt_id);
    if (place && place->ref().worker == worker->description.id && IsOnWorker(place->ref().state)) {
      LoseAttempt(*place, absl::StrCat(worker->description.name, " was stopped and handed it back"),
                  /*counts=*/false);
    }
    Vacate(worker->description.id, attempt_id);
  }
}

void Farm::CheckWorker(Worker& worker) {
  const std::string& id = worker.description.id;
  if (std::holds_alternative<WorkerLost>(worker.state)) return;
  const absl::Time suspect_at = worker.last_heard + options_.suspect_after;
  const absl::Time lost_at = worker.last_heard + options_.lost_after;
  if (now_.steady >= lost_at) {
    LoseWorker(worker);
    return;
  }
  if (const auto* connected = std::get_if<WorkerConnected>(&worker.state)) {
    if (now_.steady >= suspect_at) {
      worker.state = WorkerSuspect{connected->session};
      Reindex(worker);
    } else {
      At(suspect_at, WorkerTimer{id});
      if (worker.lost_at.empty()) return;
      // Its losses are forgotten while it works.
      const absl::Duration before = worker.steady_for;
      Grade(worker);
      if (worker.steady_for != before) WorkerChanged();
      return;
    }
  }
  At(lost_at, WorkerTimer{id});
}

void Farm::LoseWorker(Worker& worker) {
  const std::string& id = worker.description.id;
  if (const uint64_t session = SessionOf(id); session != 0) {
    sessions_.erase(session);
    Emit(CloseSession{session, absl::UnavailableError(absl::StrCat(
                                   "nothing was heard from worker ", worker.description.name,
                                   " for ", absl::FormatDuration(options_.lost_after)))});
  }
  worker.state = WorkerLost{};
  if (!worker.stopping) NoteLoss(worker);
  const absl::btree_set<std::string> occupied = std::move(worker.occupied);
  worker.occupied.clear();
  worker.expected_end.clear();
  for (const std::string& attempt_id : occupied) Release(attempt_id);
  Reindex(worker);
  WorkerChanged();
  for (const std::string& attempt_id : occupied) {
    const std::optional<Place> place = FindAttempt(attempt_id);
    if (!place || !IsOnWorker(place->ref().state)) continue;
    const bool started = std::holds_alternative<AttemptRunning>(place->ref().state);
    LoseAttempt(*place,
                absl::StrCat("nothing was heard from ", worker.description.name, " for ",
                             absl::FormatDuration(options_.lost_after)),
                /*counts=*/started);
  }
}

// By id, else by name; null where there is none or where the name is that of several.
Worker* Farm::FindByIdOrName(const std::string& text) {
  if (Worker* worker = pool_.Find(text)) return worker;
  Worker* found = nullptr;
  for (const auto& [id, worker] : pool_.all()) {
    if (worker.description.name != text) continue;
    if (found != nullptr) return nullptr;
    found = pool_.Find(id);
  }
  return found;
}

void Farm::On(const SetAdmission& event) {
  Worker* worker = FindByIdOrName(event.worker);
  if (worker == nullptr) {
    Emit(Answer{event.call,
                absl::NotFoundError(absl::StrCat(
                    "there is no worker '", event.worker,
                    "', or several have that name; `manyarch workers` lists their ids")),
                ""});
    return;
  }
  Admit(*worker, event.admission, event.reason);
  Emit(Answer{event.call, absl::OkStatus(), worker->description.id});
}

void Farm::Admit(Worker& worker, Admission admission, const std::string& reason) {
  if (worker.admission == admission && worker.admission_reason == reason) return;
  worker.admission = admission;
  worker.admission_reason = reason;
  worker.streak = {};
  effects_->workers.insert(worker.description.id);
  Reindex(worker);
  WorkerChanged(true);
}

void Farm::NoteSuccess(const std::string& worker_id) {
  ++successes_;
  if (Worker* worker = pool_.Find(worker_id)) {
    ++worker->successes;
    worker->streak = {};
    if (!worker->lost_at.empty()) Grade(*worker);
  }
}

void Farm::NoteLoss(Worker& worker) {
  worker.lost_at.push_back(now_.wall);
  effects_->workers.insert(worker.description.id);
  Grade(worker);
  ReconsiderLater();
}

// How long it lasts from one loss to the next, as far as it is known, in powers of two: workers
// that are alike in that form a class.
void Farm::Grade(Worker& worker) {
  std::vector<absl::Time>& losses = worker.lost_at;
  std::erase_if(losses, [&](absl::Time at) { return now_.wall - at >= kLossesCount; });
  if (losses.size() > kMostLosses) losses.erase(losses.begin());
  absl::Duration steady_for;
  if (!losses.empty()) {
    const absl::Duration known = std::min(kLossesCount, now_.wall - worker.known_since);
    steady_for = kLeastSteady;
    while (steady_for * 2 * static_cast<int64_t>(losses.size()) <= known) steady_for *= 2;
    if (steady_for >= kSteady) steady_for = absl::ZeroDuration();
  }
  if (steady_for == worker.steady_for) return;
  worker.steady_for = steady_for;
  pool_.Redescribe(worker);
}

// A worker that fails one job after the other while others succeed is taken out. One bad job, or a
// registry that is down for all, is no fault of the worker's.
void Farm::NoteFailure(const std::string& worker_id, const std::string& job_id,
                       const std::string& why) {
  Worker* worker = pool_.Find(worker_id);
  if (worker == nullptr || worker->admission != Admission::kSchedulable) return;
  const int64_t others = successes_ - worker->successes;
  if (worker->streak.jobs.empty()) worker->streak.others_before = others;
  worker->streak.jobs.insert(job_id);
  if (static_cast<int>(worker->streak.jobs.size()) < options_.cordon_after ||
      others == worker->streak.others_before) {
    return;
  }
  Admit(*worker, Admission::kCordoned,
        absl::StrCat("it failed ", worker->streak.jobs.size(),
                     " jobs in a row while other workers succeeded, the last one with: ", why,
                     ". Look into it, then `manyarch workers uncordon` it"));
}

}  // namespace manyarch::controller::core
