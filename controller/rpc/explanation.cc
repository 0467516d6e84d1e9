#include "controller/rpc/explanation.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"

namespace manyarch::controller::rpc {

namespace {

const v1::Attempt* Winner(const v1::Build& build) {
  for (const v1::Attempt& attempt : build.attempts()) {
    if (attempt.state() == v1::ATTEMPT_STATE_SUCCEEDED) return &attempt;
  }
  return nullptr;
}

std::string WhatRuns(const v1::Attempt& attempt) {
  const std::string where =
      absl::StrCat(" on ", attempt.worker_name(), attempt.emulated() ? ", emulated" : "",
                   " (attempt ", attempt.number(), ")");
  switch (attempt.state()) {
    case v1::ATTEMPT_STATE_OFFERED:
      return absl::StrCat("offered to ", attempt.worker_name(), ", which has not answered yet");
    case v1::ATTEMPT_STATE_ACCEPTED:
      return "taken" + where;
    case v1::ATTEMPT_STATE_FETCHING:
      return "fetching the context" + where;
    case v1::ATTEMPT_STATE_BUILDING:
      return "building" + where;
    case v1::ATTEMPT_STATE_PUSHING:
      return "pushing" + where;
    case v1::ATTEMPT_STATE_VERIFYING:
      return "pushed; its image is being checked in the registry";
    default:  // It is over.
      return "";
  }
}

// Two attempts may run at a time.
std::string AllThatRuns(const v1::Build& build) {
  std::string all;
  for (const v1::Attempt& attempt : build.attempts()) {
    const std::string one = WhatRuns(attempt);
    if (!one.empty()) absl::StrAppend(&all, all.empty() ? "" : "; ", one);
  }
  return all.empty() ? "running" : all;
}

std::string SummaryOf(const v1::Build& build) {
  const v1::Attempt* winner = Winner(build);
  switch (build.state()) {
    case v1::BUILD_STATE_WAITING:
      return build.waiting_reason();
    case v1::BUILD_STATE_RUNNING:
      return AllThatRuns(build);
    case v1::BUILD_STATE_SUCCEEDED:
      if (!build.reused_from().empty()) {
        return absl::StrCat("succeeded: the image of job ", build.reused_from(), " is used again");
      }
      return winner == nullptr ? "succeeded"
                               : absl::StrCat("succeeded on ", winner->worker_name(),
                                              winner->emulated() ? ", emulated" : "");
    case v1::BUILD_STATE_FAILED:
      return absl::StrCat("failed: ", build.failure().message());
    case v1::BUILD_STATE_CANCELLED:
      return absl::StrCat("cancelled: ", build.failure().message());
    default:
      return "unknown";
  }
}

}  // namespace

void AddReasons(const std::vector<core::BuildExplanation>& builds, v1::Job& job) {
  for (v1::Build& build : *job.mutable_builds()) {
    if (build.state() != v1::BUILD_STATE_WAITING) continue;
    for (const core::BuildExplanation& known : builds) {
      if (known.platform != wire::FromProto(build.platform()) || known.summary.empty()) continue;
      build.set_waiting_reason(known.summary);
    }
  }
}

void AddForecast(const std::vector<core::BuildExplanation>& builds, v1::Job& job) {
  std::optional<absl::Time> last;
  bool all_known = true;
  bool guessed = false;
  for (v1::Build& build : *job.mutable_builds()) {
    const bool live =
        build.state() == v1::BUILD_STATE_WAITING || build.state() == v1::BUILD_STATE_RUNNING;
    if (!live) continue;
    std::optional<absl::Time> finish;
    for (const core::BuildExplanation& known : builds) {
      if (known.platform != wire::FromProto(build.platform())) continue;
      if (known.predicted_start) {
        *build.mutable_predicted_start() = wire::ToProto(*known.predicted_start);
      }
      if (known.predicted_finish) {
        *build.mutable_predicted_finish() = wire::ToProto(*known.predicted_finish);
      }
      build.set_predicted_worker(known.predicted_worker);
      build.set_start_guessed(known.start_guessed);
      build.set_time_guessed(known.time_guessed);
      finish = known.predicted_finish;
    }
    if (build.optional()) continue;
    all_known = all_known && finish.has_value();
    guessed = guessed || build.start_guessed() || build.time_guessed();
    if (!finish || (last && *finish <= *last)) continue;
    last = finish;
    *job.mutable_gating() = build.platform();
  }
  if (!last || !all_known) {
    job.clear_gating();
    return;
  }
  *job.mutable_predicted_finish() = wire::ToProto(*last);
  job.set_finish_guessed(guessed);
}

void KeepForecast(const v1::Job& told, v1::Job& job) {
  for (int b = 0; b < std::min(job.builds_size(), told.builds_size()); ++b) {
    const v1::Build& known = told.builds(b);
    v1::Build& build = *job.mutable_builds(b);
    // What has started or ended since then was predicted from another state.
    if (known.state() != build.state()) return;
    if (known.has_predicted_start()) *build.mutable_predicted_start() = known.predicted_start();
    if (known.has_predicted_finish()) *build.mutable_predicted_finish() = known.predicted_finish();
    build.set_predicted_worker(known.predicted_worker());
    build.set_start_guessed(known.start_guessed());
    build.set_time_guessed(known.time_guessed());
  }
  if (!told.has_predicted_finish()) return;
  *job.mutable_predicted_finish() = told.predicted_finish();
  *job.mutable_gating() = told.gating();
  job.set_finish_guessed(told.finish_guessed());
}

v1::ExplainJobResponse ExplanationOf(v1::Job job,
                                     const std::vector<core::BuildExplanation>& waiting) {
  v1::ExplainJobResponse response;
  for (const v1::Build& build : job.builds()) {
    v1::BuildExplanation& one = *response.add_builds();
    *one.mutable_platform() = build.platform();
    one.set_summary(SummaryOf(build));
    for (const core::BuildExplanation& known : waiting) {
      if (known.platform != wire::FromProto(build.platform())) continue;
      if (!known.summary.empty()) one.set_summary(known.summary);
      if (!known.beside.empty()) absl::StrAppend(one.mutable_summary(), "; ", known.beside);
      for (const core::WorkerEligibility& worker : known.workers) {
        v1::WorkerExplanation& to = *one.add_workers();
        to.set_worker_id(worker.worker_id);
        to.set_worker_name(worker.worker_name);
        to.set_eligible(worker.eligible);
        to.set_reason(worker.reason);
      }
    }
  }
  AddForecast(waiting, job);
  *response.mutable_job() = std::move(job);
  return response;
}

}  // namespace manyarch::controller::rpc
