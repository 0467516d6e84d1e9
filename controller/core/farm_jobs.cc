// Jobs: submission, cancellation, and how builds make a job.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

void Farm::On(const Submit& event) {
  const auto known = keys_.find(event.idempotency_key);
  if (known != keys_.end()) {
    if (known->second.request_hash != event.request_hash) {
      Emit(Answer{
          event.call,
          absl::AlreadyExistsError(absl::StrCat(
              "the idempotency key '", event.idempotency_key, "' belongs to job ",
              known->second.job_id, ", which was submitted with another request; use a new key")),
          known->second.job_id, true});
      return;
    }
    Emit(Answer{event.call, absl::OkStatus(), known->second.job_id, true});
    return;
  }
  Job& job = jobs_[event.job_id];
  job.id = event.job_id;
  job.spec = event.spec;
  job.idempotency_key = event.idempotency_key;
  job.request_hash = event.request_hash;
  job.generation = ++last_generation_;
  job.state = JobQueued{};
  job.submitted_at = now_.wall;
  job.retry_of = event.retry_of;
  job.queued_at = now_.steady;
  for (const PlatformRequest& request : event.spec->platforms) {
    Build build;
    build.platform = request.platform;
    build.optional = request.optional;
    build.state = BuildWaiting{"", now_.wall};
    for (const ReusableImage& reusable : event.reuse) {
      if (reusable.platform != build.platform) continue;
      build.state = BuildReusing{reusable.image};
      build.reused_from = reusable.job_id;
    }
    job.builds.push_back(std::move(build));
  }
  for (const TagRef& ref : event.spec->tags) job.tags.push_back({ref, false, ""});
  keys_[event.idempotency_key] = {job.id, job.request_hash};
  Changed(job);
  Emit(Answer{event.call, absl::OkStatus(), job.id, false});
  for (size_t b = 0; b < job.builds.size(); ++b) {
    if (const auto* reusing = std::get_if<BuildReusing>(&job.builds[b].state)) {
      StartReuse(job, job.builds[b], reusing->image);
    } else {
      Enqueue(job, b, absl::InfinitePast());
    }
  }
}

void Farm::On(const Cancel& event) {
  const auto it = jobs_.find(event.job_id);
  if (it == jobs_.end()) {
    Emit(Answer{event.call,
                absl::NotFoundError(absl::StrCat("there is no live job ", event.job_id)),
                event.job_id});
    return;
  }
  Job& job = it->second;
  if (std::holds_alternative<JobCancelled>(job.state)) {
    Emit(Answer{event.call, absl::OkStatus(), job.id});
    return;
  }
  if (std::holds_alternative<JobPublishing>(job.state)) {
    Emit(Answer{
        event.call,
        absl::FailedPreconditionError(absl::StrCat(
            "job ", job.id,
            " is publishing: its list is already on the way to its tags, too late to cancel")),
        job.id});
    return;
  }
  if (IsTerminal(job.state)) {
    Emit(Answer{event.call,
                absl::FailedPreconditionError(
                    absl::StrCat("job ", job.id, " has already finished, nothing to cancel")),
                job.id});
    return;
  }
  const std::string reason = event.reason.empty() ? "cancelled by the user" : event.reason;
  for (size_t b = 0; b < job.builds.size(); ++b) {
    if (IsTerminal(job.builds[b].state)) continue;
    Dequeue(job, b);
    EndBuild(job, b, BuildCancelled{reason}, "the job was cancelled");
  }
  FinishJob(job, JobCancelled{reason});
  Emit(Answer{event.call, absl::OkStatus(), job.id});
}

void Farm::FinishJob(Job& job, JobState state) {
  job.state = std::move(state);
  job.status_reason.clear();
  job.finished_at = now_.wall;
  ready_.erase(job.generation);
  At(now_.steady + options_.keep_keys, KeyTimer{job.idempotency_key});
  Changed(job);
}

// A build that is not to be retried has failed: what has not started need not start, unless the job
// says so. What runs goes on, so that its digest is there for the next try.
void Farm::StopWaitingBuilds(Job& job) {
  if (job.spec->keep_going) return;
  const Build* culprit = nullptr;
  for (const Build& build : job.builds) {
    const auto* failed = std::get_if<BuildFailed>(&build.state);
    if (failed != nullptr && !build.optional &&
        (failed->failure.cls == FailureClass::kUser ||
         failed->failure.cls == FailureClass::kTimeout)) {
      culprit = &build;
    }
  }
  if (culprit == nullptr) return;
  const std::string reason =
      absl::StrCat("not started, because ", ToString(culprit->platform), " failed");
  for (size_t b = 0; b < job.builds.size(); ++b) {
    Dequeue(job, b);  // One that is emulated already may wait for a native slot as well.
    if (!std::holds_alternative<BuildWaiting>(job.builds[b].state)) continue;
    EndBuild(job, b, BuildCancelled{reason}, reason);
  }
}

// How long a build may wait while no worker could ever take it; zero: for ever. One that is
// optional must not keep the rest waiting once all of that is done.
absl::Duration Farm::PatienceFor(const Job& job, const Build& build) const {
  const absl::Duration limit = job.spec->unschedulable_after;
  if (!build.optional) return limit;
  const bool others_done = std::all_of(job.builds.begin(), job.builds.end(), [](const Build& b) {
    return b.optional || IsTerminal(b.state);
  });
  if (!others_done) return limit;
  return limit > absl::ZeroDuration() ? std::min(limit, options_.optional_wait)
                                      : options_.optional_wait;
}

void Farm::HurryOptionalBuilds(const Job& job) {
  for (size_t b = 0; b < job.builds.size(); ++b) {
    const auto* waiting = std::get_if<BuildWaiting>(&job.builds[b].state);
    if (waiting == nullptr || waiting->no_worker_since == absl::InfiniteFuture()) continue;
    const absl::Duration patience = PatienceFor(job, job.builds[b]);
    if (patience <= absl::ZeroDuration()) continue;
    At(std::max(now_.steady, waiting->no_worker_since + patience), BuildTimer{job.id, b});
  }
}

void Farm::Advance(Job& job) {
  if (IsTerminal(job.state) || std::holds_alternative<JobPublishing>(job.state)) return;
  StopWaitingBuilds(job);
  HurryOptionalBuilds(job);
  const Failure* failure = nullptr;
  bool any_succeeded = false;
  for (const Build& build : job.builds) {
    if (!IsTerminal(build.state)) return;
    if (build.anchor == Anchor::kPending) return;
    any_succeeded = any_succeeded || std::holds_alternative<BuildSucceeded>(build.state);
    const auto* failed = std::get_if<BuildFailed>(&build.state);
    if (failed != nullptr && !build.optional && failure == nullptr) failure = &failed->failure;
  }
  if (failure == nullptr && !any_succeeded) {
    for (const Build& build : job.builds) {
      const auto* failed = std::get_if<BuildFailed>(&build.state);
      if (failed != nullptr && failure == nullptr) failure = &failed->failure;
    }
  }
  if (failure != nullptr) {
    FinishJob(job, JobFailed{*failure});
    return;
  }
  TryPublish(job);
}

}  // namespace manyarch::controller::core
