#include "controller/core/farm.h"

#include <algorithm>

namespace manyarch::controller::core {

Farm::Farm(FarmOptions options, ListBuilder list_builder, FarmState state, Now now)
    : options_(options),
      list_builder_(std::move(list_builder)),
      now_(now),
      tags_(std::move(state.tags)),
      last_generation_(state.last_generation) {
  for (Job& job : state.jobs) {
    const std::string id = job.id;
    keys_[job.idempotency_key] = {id, job.request_hash};
    last_generation_ = std::max(last_generation_, job.generation);
    Job& kept = jobs_[id] = std::move(job);
    kept.queued_at = now.steady - std::max(absl::ZeroDuration(), now.wall - kept.submitted_at);
    for (size_t b = 0; b < kept.builds.size(); ++b) {
      for (size_t a = 0; a < kept.builds[b].attempts.size(); ++a) {
        attempts_[kept.builds[b].attempts[a].id] = {&kept, b, a};
      }
    }
  }
  for (auto& [kind, history] : state.estimates) estimates_.Restore(kind, std::move(history));
  for (Worker& worker : state.workers) {
    worker.state = WorkerSuspect{};
    worker.last_heard = now.steady;
    worker.occupied.clear();
    worker.expected_end.clear();
    Grade(pool_.Insert(std::move(worker)));
  }
}

void Farm::Start(Now now, Effects& effects) {
  now_ = now;
  effects_ = &effects;
  // A worker that was there before the restart gets the time of a lease to come back.
  std::vector<Job*> in_order;
  for (auto& [id, job] : jobs_) in_order.push_back(&job);
  std::sort(in_order.begin(), in_order.end(),
            [](const Job* a, const Job* b) { return a->generation < b->generation; });

  for (Job* job : in_order) {
    for (size_t b = 0; b < job->builds.size(); ++b) {
      Build& build = job->builds[b];
      for (Attempt& attempt : build.attempts) {
        if (!IsOnWorker(attempt.state)) continue;
        // The wall clock is all that is left of the time before the restart.
        if (attempt.accepted_at != absl::InfinitePast()) {
          attempt.began =
              now_.steady - std::max(absl::ZeroDuration(), now_.wall - attempt.accepted_at);
        }
        const Estimate estimate = estimates_.Predict(KindOf(*job, b), attempt.emulated, true);
        attempt.predicted = absl::ToDoubleSeconds(estimate.mean);
        attempt.guessed = estimate.mere_guess;
        Worker* worker = pool_.Find(attempt.worker);
        if (worker != nullptr) Occupy(*worker, *job, b, attempt);
        if (attempt.emulated && job->spec->hedge) alone_.insert(attempt.id);
      }
    }
  }
  for (const auto& [id, worker] : pool_.all()) {
    Reindex(worker);
    At(now_.steady + options_.lost_after, WorkerTimer{id});
  }
  for (Job* job : in_order) {
    job->status_reason.clear();  // It told of what the last process was at.
    if (std::holds_alternative<JobPublishing>(job->state)) StartPublish(*job);
    for (size_t b = 0; b < job->builds.size(); ++b) {
      Build& build = job->builds[b];
      if (std::holds_alternative<BuildWaiting>(build.state)) {
        Enqueue(*job, b, absl::InfinitePast());
      }
      if (const auto* reusing = std::get_if<BuildReusing>(&build.state)) {
        StartReuse(*job, build, reusing->image);
      }
      if (build.anchor == Anchor::kPending) StartAnchor(*job, build);
      for (size_t a = 0; a < build.attempts.size(); ++a) {
        const Attempt& attempt = build.attempts[a];
        if (const auto* verifying = std::get_if<AttemptVerifying>(&attempt.state)) {
          Emit(CheckImage{attempt.id, build.platform, verifying->image, job->spec->format,
                          !job->spec->sealed.empty()});
        } else if (IsOnWorker(attempt.state)) {
          build.attempts[a].deadline = DeadlineOf(*job);
          At(now_.steady + options_.offer_timeout, AttemptTimer{attempt.id});
          if (pool_.Find(attempt.worker) == nullptr) {
            LoseAttempt({job, b, a}, "its worker is not known to this controller", true);
          }
        }
      }
    }
    if (!IsTerminal(job->state)) Advance(*job);
  }
  effects_ = nullptr;
}

void Farm::Step(const Event& event, Now now, Effects& effects) {
  now_ = now;
  effects_ = &effects;
  std::visit([this](const auto& e) { On(e); }, event);
  queue_.DropEmptyLanes();
  const absl::btree_set<BuildKind> learned = estimates_.TakeChanged();
  effects.estimates.insert(learned.begin(), learned.end());
  effects_ = nullptr;
}

void Farm::On(const Tick&) {
  while (!timers_.empty() && timers_.begin()->first <= now_.steady) {
    const Timer timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    std::visit([this](const auto& t) { Fire(t); }, timer);
  }
}

absl::Time Farm::NextDeadline() const {
  return timers_.empty() ? absl::InfiniteFuture() : timers_.begin()->first;
}

void Farm::At(absl::Time steady, Timer timer) { timers_.emplace(steady, std::move(timer)); }

void Farm::Fire(const WorkerTimer& timer) {
  if (Worker* worker = pool_.Find(timer.worker)) CheckWorker(*worker);
}

void Farm::Fire(const AttemptTimer& timer) {
  const std::optional<Place> place = FindAttempt(timer.attempt);
  if (!place || !IsOnWorker(place->ref().state)) return;
  Attempt& attempt = place->ref();
  if (std::holds_alternative<AttemptOffered>(attempt.state)) {
    if (SessionOf(attempt.worker) == 0) {
      // The stream is down; the lease or the reconnect will tell what became of the offer.
      At(now_.steady + options_.offer_timeout, timer);
      return;
    }
    Abandon(attempt, "the offer was not answered in time");
    LoseAttempt(*place, "the worker did not answer the offer", /*counts=*/false);
    return;
  }
  if (now_.steady < attempt.deadline) {
    At(attempt.deadline, timer);
    return;
  }
  Failure failure;
  failure.cls = FailureClass::kTimeout;
  failure.message =
      "the build took longer than its timeout and its worker did not stop it; raise --timeout if "
      "it "
      "needs longer";
  Abandon(attempt, failure.message);
  FailAttempt(*place, failure);
}

void Farm::Fire(const BuildTimer& timer) {
  const auto it = jobs_.find(timer.job);
  if (it == jobs_.end() || IsTerminal(it->second.state)) return;
  Job& job = it->second;
  Build& build = job.builds[timer.build];
  auto* waiting = std::get_if<BuildWaiting>(&build.state);
  if (waiting == nullptr) return;
  if (waiting->not_before > absl::InfinitePast()) {
    if (waiting->not_before <= now_.steady) {
      Enqueue(job, timer.build, absl::InfinitePast());
    }
    return;
  }
  const absl::Duration limit = PatienceFor(job, build);
  if (waiting->no_worker_since == absl::InfiniteFuture() || limit <= absl::ZeroDuration()) return;
  const absl::Duration left = waiting->no_worker_since + limit - now_.steady;
  if (left > absl::ZeroDuration()) {
    At(now_.steady + left, timer);
    return;
  }
  Failure failure;
  failure.cls = FailureClass::kUnschedulable;
  failure.message = pool_.Explain(NeedOf(job, timer.build)) + "; waited " +
                    absl::FormatDuration(limit) +
                    ". Add a worker for it, or leave the platform out";
  if (build.optional && limit != job.spec->unschedulable_after) {
    failure.message += " (it is optional, and all that is required is done)";
  }
  Dequeue(job, timer.build);
  EndBuild(job, timer.build, BuildFailed{failure}, failure.message);
  Advance(job);
}

void Farm::Fire(const KeyTimer& timer) {
  const auto it = keys_.find(timer.key);
  if (it != keys_.end() && !jobs_.contains(it->second.job_id)) keys_.erase(it);
}

const Job* Farm::FindJob(const std::string& id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : &it->second;
}

const TagOwner* Farm::FindTag(const std::string& reference) const {
  const auto it = tags_.find(reference);
  return it == tags_.end() ? nullptr : &it->second;
}

std::optional<Farm::Place> Farm::FindAttempt(const std::string& attempt_id) {
  const auto it = attempts_.find(attempt_id);
  if (it == attempts_.end()) return std::nullopt;
  return it->second;
}

void Farm::Changed(Job& job) {
  ++job.revision;
  effects_->jobs.insert(job.id);
}

void Farm::Reindex(const Worker& worker) {
  pool_.Reindex(worker);
  effects_->workers_shown.insert(worker.description.id);
}

void Farm::Progressed(Job& job) {
  ++job.revision;
  effects_->progress.insert(job.id);
}

void Farm::Forget(const std::string& job_id) {
  const auto it = jobs_.find(job_id);
  if (it == jobs_.end() || !IsTerminal(it->second.state)) return;
  for (const Build& build : it->second.builds) {
    for (const Attempt& attempt : build.attempts) attempts_.erase(attempt.id);
  }
  jobs_.erase(it);
}

}  // namespace manyarch::controller::core
