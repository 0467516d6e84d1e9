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
  for (const PlatformRequest& request : event.spec->platforms) {
    Build build;
    build.platform = request.platform;
    build.optional = request.optional;
    build.state = BuildWaiting{"", now_.wall};
    job.builds.push_back(std::move(build));
  }
  for (const TagRef& ref : event.spec->tags) job.tags.push_back({ref, false, ""});
  keys_[event.idempotency_key] = {job.id, job.request_hash};
  Changed(job);
  Emit(Answer{event.call, absl::OkStatus(), job.id, false});
  for (size_t b = 0; b < job.builds.size(); ++b) Enqueue(job, b, absl::InfinitePast());
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

// A build that is not to be retried has failed: what has not started need not start. What runs goes
// on, so that its digest is there for the next try.
void Farm::StopWaitingBuilds(Job& job) {
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
    if (!std::holds_alternative<BuildWaiting>(job.builds[b].state)) continue;
    Dequeue(job, b);
    EndBuild(job, b, BuildCancelled{reason}, reason);
  }
}

void Farm::Advance(Job& job) {
  if (IsTerminal(job.state) || std::holds_alternative<JobPublishing>(job.state)) return;
  StopWaitingBuilds(job);
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
