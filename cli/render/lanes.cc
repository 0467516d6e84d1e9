#include "cli/render/lanes.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/render/table.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

// The attempt to show: the newest that is not lost, else the newest.
const v1::Attempt* Shown(const v1::Build& build) {
  const v1::Attempt* shown = nullptr;
  for (const v1::Attempt& attempt : build.attempts()) {
    if (shown == nullptr || attempt.state() != v1::ATTEMPT_STATE_LOST) shown = &attempt;
  }
  return shown;
}

std::string Elapsed(const v1::Attempt& attempt, absl::Time now) {
  const auto& start = attempt.has_accepted_at() ? attempt.accepted_at() : attempt.offered_at();
  if (start.seconds() == 0) return "";
  const absl::Time end = attempt.has_finished_at() ? ToTime(attempt.finished_at()) : now;
  return ShortDuration(end - ToTime(start));
}

std::vector<std::string> Row(const v1::Build& build,
                             const std::map<std::string, std::string>& steps, absl::Time now) {
  const std::string platform = absl::StrCat("  ", PlatformText(build.platform()));
  const v1::Attempt* attempt = Shown(build);
  if (build.state() == v1::BUILD_STATE_WAITING || attempt == nullptr) {
    return {platform, Word(build.state()), "", "", SafeLine(build.waiting_reason())};
  }
  const std::string where =
      absl::StrCat(attempt->worker_name(), " (", HowText(attempt->emulated()), ")");
  std::string state = Word(build.state());
  std::string detail;
  switch (build.state()) {
    case v1::BUILD_STATE_RUNNING: {
      state = Word(attempt->state());
      const auto step = steps.find(attempt->id());
      if (step != steps.end() && attempt->state() <= v1::ATTEMPT_STATE_BUILDING) {
        detail = step->second;
      }
      break;
    }
    case v1::BUILD_STATE_SUCCEEDED:
      detail = build.image().digest();
      break;
    case v1::BUILD_STATE_FAILED:
      detail = MessageWithout(build.failure().message(), PlatformText(build.platform()));
      break;
    default:
      break;
  }
  return {platform, state, where, Elapsed(*attempt, now), detail};
}

}  // namespace

std::vector<std::string> Lanes(const v1::Job& job, const std::map<std::string, std::string>& steps,
                               absl::Time now, size_t width) {
  std::string heading = absl::StrCat("job ", job.id(), "  ", Word(job.state()));
  if (job.submitted_at().seconds() != 0) {
    absl::StrAppend(&heading, "  ", ShortDuration(now - ToTime(job.submitted_at())));
  }
  if (!job.status_reason().empty()) absl::StrAppend(&heading, "  ", SafeLine(job.status_reason()));
  std::vector<std::vector<std::string>> rows;
  for (const v1::Build& build : job.builds()) rows.push_back(Row(build, steps, now));
  std::vector<std::string> lines = {std::string(Truncated(heading, width))};
  const std::string table = AlignedTable(rows);
  for (const absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    lines.emplace_back(Truncated(line, width));
  }
  return lines;
}

std::string StepIn(absl::string_view line) {
  // "STEP 2/5: RUN make", with several stages "[1/2] STEP 2/5: RUN make".
  const size_t at = line.find("STEP ");
  if (at == absl::string_view::npos) return "";
  if (at != 0 && !(line[0] == '[' && absl::EndsWith(line.substr(0, at), "] "))) return "";
  return SafeLine(line);
}

}  // namespace manyarch::cli
