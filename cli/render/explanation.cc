#include "cli/render/explanation.h"

#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/render/table.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

// "is running", "has failed", "was cancelled"
std::string StateSentence(v1::JobState state) {
  switch (state) {
    case v1::JOB_STATE_SUCCEEDED:
    case v1::JOB_STATE_FAILED:
      return absl::StrCat("has ", Word(state));
    case v1::JOB_STATE_CANCELLED:
    case v1::JOB_STATE_SUPERSEDED:
      return absl::StrCat("was ", Word(state));
    default:
      return absl::StrCat("is ", Word(state));
  }
}

// Whether a platform's line says the job's failure.
bool SaidByPlatform(const v1::ExplainJobResponse& why) {
  for (const v1::BuildExplanation& build : why.builds()) {
    if (absl::EndsWith(build.summary(), why.job().failure().message())) return true;
  }
  return false;
}

}  // namespace

std::string ExplanationText(const v1::ExplainJobResponse& why, absl::Time now) {
  const v1::Job& job = why.job();
  std::string text = absl::StrCat("job ", job.id(), " ", StateSentence(job.state()));
  if (!job.status_reason().empty()) absl::StrAppend(&text, ": ", SafeLine(job.status_reason()));
  absl::StrAppend(&text, " (submitted ", Age(job.submitted_at(), now), ")\n");
  if (!job.failure().message().empty() && !SaidByPlatform(why)) {
    absl::StrAppend(&text, "  ", SafeLine(job.failure().message()), "\n");
  }
  if (job.has_predicted_finish()) {
    absl::StrAppend(&text, "  all platforms are built in about ",
                    ShortDuration(ToTime(job.predicted_finish()) - now),
                    job.finish_guessed() ? " (a guess), " : ", ", PlatformText(job.gating()),
                    " last\n");
  }
  for (const v1::BuildExplanation& build : why.builds()) {
    const std::string platform = PlatformText(build.platform());
    absl::string_view summary = build.summary();
    // What a failure says begins with its platform, too.
    const bool failed = absl::ConsumePrefix(&summary, absl::StrCat("failed: ", platform, ": "));
    absl::StrAppend(&text, platform, failed ? ": failed: " : ": ", SafeLine(summary));
    for (const v1::Build& one : job.builds()) {
      if (PlatformText(one.platform()) != platform) continue;
      text += PredictionText(one, now);
    }
    text += "\n";
    std::vector<std::vector<std::string>> rows;
    for (const v1::WorkerExplanation& worker : build.workers()) {
      rows.push_back({absl::StrCat(worker.eligible() ? "  + " : "  - ", worker.worker_name()),
                      worker.reason()});
    }
    text += AlignedTable(rows);
  }
  return text;
}

}  // namespace manyarch::cli
