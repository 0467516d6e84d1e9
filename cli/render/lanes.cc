#include "cli/render/lanes.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "cli/render/table.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

constexpr size_t kNarrow = 60;  // Below this the worker is left out, so that the step is seen.

// The more, the more it says of its build.
int Weight(const v1::Attempt& attempt) {
  switch (attempt.state()) {
    case v1::ATTEMPT_STATE_LOST:
      return 0;
    case v1::ATTEMPT_STATE_FAILED:
    case v1::ATTEMPT_STATE_CANCELLED:
      return 1;
    case v1::ATTEMPT_STATE_SUCCEEDED:
      return 3;
    default:
      return 2;
  }
}

// The attempt to show: the newest of those that say most.
const v1::Attempt* Shown(const v1::Build& build) {
  const v1::Attempt* shown = nullptr;
  for (const v1::Attempt& attempt : build.attempts()) {
    if (shown == nullptr || Weight(attempt) >= Weight(*shown)) shown = &attempt;
  }
  return shown;
}

std::string Elapsed(const v1::Attempt& attempt, absl::Time now) {
  const auto& start = attempt.has_accepted_at() ? attempt.accepted_at() : attempt.offered_at();
  if (start.seconds() == 0) return "";
  const absl::Time end = attempt.has_finished_at() ? ToTime(attempt.finished_at()) : now;
  return ShortDuration(end - ToTime(start));
}

const Activity* ActivityOf(const v1::Build& build,
                           const std::map<std::string, Activity>& activities) {
  const v1::Attempt* attempt = Shown(build);
  if (attempt == nullptr || build.state() != v1::BUILD_STATE_RUNNING) return nullptr;
  const auto it = activities.find(attempt->id());
  return it == activities.end() ? nullptr : &it->second;
}

Style StyleOf(const v1::Build& build) {
  switch (build.state()) {
    case v1::BUILD_STATE_SUCCEEDED:
      return Style::kGood;
    case v1::BUILD_STATE_FAILED:
      return Style::kBad;
    default:
      return Style::kNormal;
  }
}

std::vector<std::string> Row(const v1::Build& build, const Activity* activity, absl::Time now,
                             bool narrow) {
  const std::string platform =
      absl::StrCat("  ", PlatformText(build.platform()), build.optional() ? "?" : "");
  const v1::Attempt* attempt = Shown(build);
  const auto row = [&](std::string state, std::string where, std::string elapsed,
                       std::string detail) {
    std::vector<std::string> cells = {platform, std::move(state)};
    if (!narrow) cells.push_back(std::move(where));
    cells.push_back(std::move(elapsed));
    cells.push_back(std::move(detail));
    return cells;
  };
  if (build.state() == v1::BUILD_STATE_SUCCEEDED && attempt == nullptr) {
    return row(Word(build.state()), absl::StrCat("from job ", build.reused_from()), "",
               build.image().digest());
  }
  if (build.state() == v1::BUILD_STATE_WAITING || attempt == nullptr) {
    std::string detail =
        SafeLine(build.has_failure() ? build.failure().message() : build.waiting_reason());
    const std::string start = SafeLine(StartText(build, now));
    if (!start.empty()) detail = detail.empty() ? start : absl::StrCat(start, "; ", detail);
    return row(Word(build.state()), "", "", std::move(detail));
  }
  std::string state = Word(build.state());
  std::string detail;
  switch (build.state()) {
    case v1::BUILD_STATE_RUNNING:
      state = Word(attempt->state());
      if (activity != nullptr && attempt->state() <= v1::ATTEMPT_STATE_BUILDING) {
        detail = activity->step;
      }
      break;
    case v1::BUILD_STATE_SUCCEEDED:
      detail = build.image().digest();
      break;
    case v1::BUILD_STATE_FAILED:
      detail = MessageWithout(build.failure().message(), PlatformText(build.platform()));
      break;
    default:
      break;
  }
  return row(state, absl::StrCat(attempt->worker_name(), " (", HowText(attempt->emulated()), ")"),
             Elapsed(*attempt, now), detail);
}

// Tabs would be wider than they count.
std::string Fitted(absl::string_view line, size_t width) {
  return std::string(Truncated(absl::StrReplaceAll(line, {{"\t", " "}}), width));
}

}  // namespace

void Activity::Add(absl::string_view line) {
  std::string safe = SafeLine(line);
  if (safe.empty()) return;
  if (!StepIn(safe).empty()) step = safe;
  tail.push_back(std::move(safe));
  if (tail.size() > kKept) tail.pop_front();
}

std::vector<ScreenLine> Lanes(const v1::Job& job, const std::map<std::string, Activity>& activities,
                              absl::Time now, ScreenSize size) {
  // A full last column makes some terminals wrap.
  const size_t width = std::max<size_t>(size.width, 2) - 1;
  const size_t room = std::max<size_t>(size.height, 2) - 1;
  std::string heading = absl::StrCat("job ", job.id(), "  ", Word(job.state()));
  if (job.submitted_at().seconds() != 0) {
    const absl::Time end = job.has_finished_at() ? ToTime(job.finished_at()) : now;
    absl::StrAppend(&heading, "  ", ShortDuration(end - ToTime(job.submitted_at())));
  }
  if (const std::string left = TimeLeftText(job, now); !left.empty()) {
    absl::StrAppend(&heading, "  ", left);
  }
  if (!job.status_reason().empty()) absl::StrAppend(&heading, "  ", SafeLine(job.status_reason()));
  std::vector<std::vector<std::string>> rows;
  size_t running = 0;
  for (const v1::Build& build : job.builds()) {
    const Activity* activity = ActivityOf(build, activities);
    if (activity != nullptr) ++running;
    rows.push_back(Row(build, activity, now, width < kNarrow));
  }
  const size_t taken = rows.size() + 1;
  const size_t each = running == 0 || taken >= room ? 0 : (room - taken) / running;
  std::vector<ScreenLine> lines = {{Fitted(heading, width), Style::kHeading}};
  const std::string table = AlignedTable(rows);
  int b = 0;
  for (const absl::string_view line : absl::StrSplit(table, '\n', absl::SkipEmpty())) {
    const v1::Build& build = job.builds(b++);
    lines.push_back({Fitted(line, width), StyleOf(build)});
    const Activity* activity = ActivityOf(build, activities);
    if (activity == nullptr) continue;
    const size_t shown = std::min(each, activity->tail.size());
    for (size_t i = activity->tail.size() - shown; i < activity->tail.size(); ++i) {
      lines.push_back({Fitted(absl::StrCat("    ", activity->tail[i]), width), Style::kFaint});
    }
  }
  // What has scrolled out of the window could not be drawn over.
  lines.resize(std::min(lines.size(), room));
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
