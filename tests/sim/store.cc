#include "tests/sim/store.h"

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
    for (core::Attempt& attempt : build.attempts) attempt.deadline = absl::InfiniteFuture();
  }
}

}  // namespace

core::FarmState SimStore::Load() const {
  core::FarmState state;
  for (const auto& [id, job] : jobs) {
    state.last_generation = std::max(state.last_generation, job.generation);
    if (!core::IsTerminal(job.state)) state.jobs.push_back(job);
  }
  for (const auto& [id, worker] : workers) state.workers.push_back(worker);
  for (const auto& [reference, owner] : tags) state.tags[reference] = owner;
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
    for (size_t a = 0; a < was.attempts.size(); ++a) {
      if (core::IsTerminal(was.attempts[a].state) &&
          was.attempts[a].state.index() != is.attempts[a].state.index()) {
        run_->Violated("attempt ", was.attempts[a].id, " was terminal and changed its state");
      }
    }
  }
}

absl::Status SimStore::Commit(int64_t committer, const core::Farm& farm,
                              const core::Effects& effects) {
  if (committer != epoch) return absl::AbortedError("another controller has taken over");
  const bool fails = run_->faults && run_->chance.OneIn(150);
  if (fails && run_->chance.OneIn(2)) {
    run_->Trace("store: a commit failed");
    return absl::UnavailableError("the disk failed before the commit");
  }
  std::set<std::string> changed(effects.jobs.begin(), effects.jobs.end());
  changed.insert(effects.progress.begin(), effects.progress.end());
  for (const std::string& id : changed) {
    const core::Job* job = farm.FindJob(id);
    if (job == nullptr) continue;
    const auto before = jobs.find(id);
    if (before != jobs.end()) CheckTransition(before->second, *job);
    jobs[id] = *job;
    ForgetSteadyTimes(jobs[id]);
  }
  for (const std::string& id : effects.workers) {
    if (const core::Worker* worker = farm.FindWorker(id)) workers[id] = *worker;
  }
  for (const std::string& reference : effects.tags) {
    if (const core::TagOwner* owner = farm.FindTag(reference)) {
      if (tags[reference].generation > owner->generation) {
        run_->Violated("the owner of ", reference, " went back to an earlier submission");
      }
      tags[reference] = *owner;
    }
  }
  if (fails) {
    run_->Trace("store: a commit was applied and reported as failed");
    return absl::UnavailableError("the disk failed after the commit");
  }
  return absl::OkStatus();
}

std::string SimStore::FindSubmission(const std::string& key) const {
  for (const auto& [id, job] : jobs) {
    if (job.idempotency_key == key) return id;
  }
  return "";
}

}  // namespace manyarch::sim
