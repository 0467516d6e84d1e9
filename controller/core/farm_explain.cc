// Why the builds of a job are where they are.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "controller/core/eligibility.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

void Farm::On(const Explain& event) {
  Explained answer;
  answer.call = event.call;
  const auto it = jobs_.find(event.job_id);
  if (it == jobs_.end()) {
    answer.status = absl::NotFoundError(absl::StrCat("there is no live job ", event.job_id));
    Emit(std::move(answer));
    return;
  }
  const Job& job = it->second;
  for (size_t b = 0; b < job.builds.size(); ++b) {
    const Build& build = job.builds[b];
    BuildExplanation one;
    one.platform = build.platform;
    Forecast(job, b, one);
    if (const auto* waiting = std::get_if<BuildWaiting>(&build.state)) {
      one.summary = waiting->reason;
      // What has been told since it was queued may be true no longer.
      if (queue_.Find({job.generation, b}) != nullptr) {
        const Need need = NeedOf(job, b);
        one.summary = WhyItWaits(job, b, need, pool_.Servable(need), pool_.Explain(need));
      }
      if (waiting->not_before > now_.steady) {
        absl::StrAppend(
            &one.summary, "; next try in ",
            absl::FormatDuration(absl::Ceil(waiting->not_before - now_.steady, absl::Seconds(1))));
      }
      if (!event.times_only)
        one.workers = ExplainWorkers(pool_, NeedOf(job, b), WorkersTried(build));
    } else {
      one.beside = WaitsForBeside(job, b);
    }
    answer.builds.push_back(std::move(one));
  }
  Emit(std::move(answer));
}

}  // namespace manyarch::controller::core
