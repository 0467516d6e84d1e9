#include "tests/sim/store.h"

#include <algorithm>
#include <set>

namespace manyarch::sim {

namespace {

std::string WinnerOf(const core::Build& build) {
  const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state);
  return succeeded == nullptr ? "" : succeeded->winner;
}

// In memory only, gone with the process.
void ForgetSteadyTimes(core::Job& job) {
  for (core::Build& build : job.builds) {
    if (auto* waiting = std::get_if<core::BuildWaiting>(&build.state)) {
      waiting->not_before = absl::InfinitePast();
      waiting->no_worker_since = absl::InfiniteFuture();
    }
    for (core::Attempt& attempt : build.attempts) {
      attempt.deadline = attempt.began = absl::InfiniteFuture();
      attempt.took = absl::ZeroDuration();
    }
  }
}

}  // namespace

absl::StatusOr<core::FarmState> SimStore::Load(int64_t reader) {
  if (reader != epoch) return absl::AbortedError("another controller has taken over");
  if (run_->Luck(20)) return absl::UnavailableError("the disk cannot be read");
  core::FarmState state;
  for (const auto& [id, job] : jobs) {
    state.last_generation = std::max(state.last_generation, job.generation);
    if (!core::IsTerminal(job.state)) state.jobs.push_back(job);
  }
  for (const auto& [id, worker] : workers) state.workers.push_back(worker);
  for (const auto& [reference, owner] : tags) state.tags[reference] = owner;
  state.estimates.assign(estimates.begin(), estimates.end());
  return state;
}

// P4 and P5: what is terminal stays, and a build has one winner.
void SimStore::CheckTransition(const core::Job& before, const core::Job& after) {
  const std::string& id = before.id;
  if (core::IsTerminal(before.state) && before.state.index() != after.state.index()) {
    run_->Violated("job ", id, " was terminal and changed its state");
  }
  for (size_t b = 0; b < before.builds.size(); ++b) {
    const core::Build& was = before.builds[b];
    const core::Build& is = after.builds[b];
    if (core::IsTerminal(was.state) && was.state.index() != is.state.index()) {
      run_->Violated("build ", b, " of job ", id, " was terminal and changed its state");
    }
    if (!WinnerOf(was).empty() && WinnerOf(was) != WinnerOf(is)) {
      run_->Violated("build ", b, " of job ", id, " had the winner ", WinnerOf(was), ", now ",
                     WinnerOf(is));
    }
    if (is.attempts.size() < was.attempts.size()) {
      run_->Violated("build ", b, " of job ", id, " has forgotten an attempt");
      return;
    }
    for (size_t a = 0; a < was.attempts.size(); ++a) {
      if (core::IsTerminal(was.attempts[a].state) &&
          was.attempts[a].state.index() != is.attempts[a].state.index()) {
        run_->Violated("attempt ", was.attempts[a].id, " was terminal and changed its state");
      }
    }
  }
}

// What must be true of a job whatever it was before.
void SimStore::CheckJob(const core::Job& job) {
  const auto* failed_job = std::get_if<core::JobFailed>(&job.state);
  if (failed_job != nullptr && failed_job->failure.message.empty()) {
    run_->Violated("job ", job.id, " failed and does not say why");
  }
  const bool published = std::holds_alternative<core::JobSucceeded>(job.state);
  for (const core::Build& build : job.builds) {
    if (published && !std::holds_alternative<core::BuildSucceeded>(build.state) &&
        job.status_reason.find(ToString(build.platform)) == std::string::npos) {
      run_->Violated("job ", job.id, " was published without a platform and does not say so");
    }
    int succeeded = 0;
    int counted = 0;
    for (const core::Attempt& attempt : build.attempts) {
      if (std::holds_alternative<core::AttemptSucceeded>(attempt.state)) ++succeeded;
      const auto* failed = std::get_if<core::AttemptFailed>(&attempt.state);
      const bool lost = std::holds_alternative<core::AttemptLost>(attempt.state);
      if ((failed != nullptr || lost) && attempt.counts) ++counted;
      // Leases and deadlines are judged by a clock that nobody sets.
      if (failed != nullptr && failed->failure.cls == core::FailureClass::kTimeout &&
          !run_->hung.contains(attempt.id)) {
        run_->Violated("attempt ", attempt.id, " was timed out long before its time");
      }
    }
    if (succeeded > 1) run_->Violated("a build of job ", job.id, " has two winners");
    const bool reused =
        !build.reused_from.empty() && std::holds_alternative<core::BuildSucceeded>(build.state);
    if (reused && (succeeded != 0 || !WinnerOf(build).empty())) {
      run_->Violated("a build of job ", job.id, " has used an earlier image again and won another");
    }
    if (WinnerOf(build).empty() ? succeeded != 0 : succeeded != 1) {
      run_->Violated("a build of job ", job.id, " and its attempts disagree on who has won");
    }
    if (std::holds_alternative<core::BuildWaiting>(build.state) &&
        counted >= job.spec->max_attempts) {
      run_->Violated("a build of job ", job.id, " waits for another try after ", counted);
    }
    if (std::holds_alternative<core::BuildWaiting>(build.state) &&
        std::get<core::BuildWaiting>(build.state).reason.empty()) {
      run_->Violated("a build of job ", job.id, " waits and does not say for what");
    }
  }
}

absl::Status SimStore::Write(int64_t committer, const core::Farm& farm,
                             const core::Effects& effects) {
  if (committer != epoch && !Broken("a commit under an older epoch is refused")) {
    return absl::AbortedError("another controller has taken over");
  }
  unsynced_ = {};
  std::set<std::string> changed(effects.jobs.begin(), effects.jobs.end());
  changed.insert(effects.progress.begin(), effects.progress.end());
  for (const std::string& id : changed) {
    const core::Job* job = farm.FindJob(id);
    if (job == nullptr) continue;
    core::Job& row = unsynced_.jobs[id] = *job;
    ForgetSteadyTimes(row);
  }
  for (const std::string& id : effects.workers) {
    if (const core::Worker* worker = farm.FindWorker(id)) unsynced_.workers[id] = *worker;
  }
  for (const std::string& reference : effects.tags) {
    if (const core::TagOwner* owner = farm.FindTag(reference)) unsynced_.tags[reference] = *owner;
  }
  for (const core::BuildKind& kind : effects.estimates) {
    if (const core::History* history = farm.estimates().Find(kind)) {
      unsynced_.estimates[kind] = *history;
    }
  }
  return absl::OkStatus();
}

void SimStore::Sync() {
  for (auto& [id, job] : unsynced_.jobs) {
    const auto before = jobs.find(id);
    if (before != jobs.end()) CheckTransition(before->second, job);
    CheckJob(job);
    jobs[id] = std::move(job);
  }
  for (auto& [id, worker] : unsynced_.workers) workers[id] = std::move(worker);
  for (auto& [reference, owner] : unsynced_.tags) {
    if (tags[reference].generation > owner.generation) {
      run_->Violated("the owner of ", reference, " went back to an earlier submission");
    }
    tags[reference] = owner;
  }
  for (auto& [kind, history] : unsynced_.estimates) estimates[kind] = std::move(history);
  unsynced_ = {};
  ++version;
}

absl::Status SimStore::Commit(int64_t committer, const core::Farm& farm,
                              const core::Effects& effects) {
  if (absl::Status status = Write(committer, farm, effects); !status.ok()) return status;
  if (run_->disk_full_until > run_->scheduler.now()) {
    LoseUnsynced();
    return absl::ResourceExhaustedError("the disk is full");
  }
  if (run_->Luck(150)) {
    // Whoever is told so does not know which of the two it was.
    const bool kept = run_->chance.OneIn(2);
    run_->Trace("store: a commit was reported as failed, and was ", kept ? "applied" : "not");
    if (kept) Sync();
    LoseUnsynced();
    return absl::UnavailableError("the disk failed");
  }
  Sync();
  return absl::OkStatus();
}

std::string SimStore::FindSubmission(const std::string& key) const {
  for (const auto& [id, job] : jobs) {
    if (job.idempotency_key == key) return id;
  }
  return "";
}

const core::Attempt* SimStore::FindAttempt(const std::string& attempt_id) const {
  // The id of an attempt begins with that of its job.
  const auto job = jobs.find(attempt_id.substr(0, attempt_id.find('-')));
  if (job == jobs.end()) return nullptr;
  for (const core::Build& build : job->second.builds) {
    for (const core::Attempt& attempt : build.attempts) {
      if (attempt.id == attempt_id) return &attempt;
    }
  }
  return nullptr;
}

const core::Job* SimStore::FindWinnersJob(const std::string& digest) const {
  const core::Job* newest = nullptr;
  for (const auto& [id, job] : jobs) {
    if (newest != nullptr && newest->generation > job.generation) continue;
    for (const core::Build& build : job.builds) {
      const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state);
      if (succeeded != nullptr && succeeded->image.digest == digest) newest = &job;
    }
  }
  return newest;
}

}  // namespace manyarch::sim
