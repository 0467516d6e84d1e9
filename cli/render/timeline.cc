#include "cli/render/timeline.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

// Tenths of a second matter while there are few seconds.
std::string FineDuration(absl::Duration duration) {
  if (duration < absl::Seconds(10))
    return absl::StrFormat("%.1fs", absl::ToDoubleSeconds(duration));
  return ShortDuration(duration);
}

// Since when it could have been offered.
absl::Time WaitingSince(const v1::Job& job, const v1::Build& build, const v1::Attempt& attempt) {
  absl::Time since = ToTime(job.submitted_at());
  for (const v1::Attempt& other : build.attempts()) {
    if (other.number() >= attempt.number() || !other.has_finished_at()) continue;
    since = std::max(since, ToTime(other.finished_at()));
  }
  return since;
}

}  // namespace

std::vector<PhaseTime> PhasesOf(const v1::Job& job, const v1::Build& build,
                                const v1::Attempt& attempt, absl::Time now) {
  const struct {
    const char* name;
    bool seen;
    absl::Time begin;
  } phases[] = {
      {"queued", true, WaitingSince(job, build, attempt)},
      {"fetching", attempt.has_accepted_at(), ToTime(attempt.accepted_at())},
      {"building", attempt.has_building_at(), ToTime(attempt.building_at())},
      {"pushing", attempt.has_pushing_at(), ToTime(attempt.pushing_at())},
      {"verifying", attempt.has_pushed_at(), ToTime(attempt.pushed_at())},
  };
  const absl::Time end = attempt.has_finished_at() ? ToTime(attempt.finished_at()) : now;
  std::vector<PhaseTime> times;
  absl::Time begin = phases[0].begin;
  for (const auto& phase : phases) {
    if (!phase.seen) continue;
    if (!times.empty()) {
      times.back().duration = std::max(absl::ZeroDuration(), phase.begin - begin);
    }
    begin = phase.begin;
    times.push_back({phase.name, absl::ZeroDuration()});
  }
  times.back().duration = std::max(absl::ZeroDuration(), end - begin);
  return times;
}

std::string TimelineText(const std::vector<PhaseTime>& phases) {
  return absl::StrJoin(phases, ", ", [](std::string* out, const PhaseTime& phase) {
    absl::StrAppend(out, phase.name, " ", FineDuration(phase.duration));
  });
}

}  // namespace manyarch::cli
