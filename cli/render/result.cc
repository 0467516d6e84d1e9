#include "cli/render/result.h"

#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "cli/render/table.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

// The attempt whose failure the build carries: the last one that failed.
const v1::Attempt* FailedAttempt(const v1::Build& build) {
  const v1::Attempt* found = nullptr;
  for (const v1::Attempt& attempt : build.attempts()) {
    if (attempt.has_failure()) found = &attempt;
  }
  return found;
}

// Where the output of the failing step itself begins in the last lines; all of them where that is
// not to be seen in them.
int OutputOfStep(const v1::Failure& failure) {
  if (failure.step().empty()) return 0;
  const std::string step = SafeLine(failure.step());
  for (int i = failure.last_lines_size() - 1; i >= 0; --i) {
    if (SafeLine(failure.last_lines(i)) == step) return i + 1;
  }
  return 0;
}

std::string BuildFailureText(const v1::Job& job, const v1::Build& build) {
  const std::string platform = PlatformText(build.platform());
  const v1::Attempt* attempt = FailedAttempt(build);
  std::string text = absl::StrCat(platform, " failed");
  if (attempt != nullptr) {
    absl::StrAppend(&text, " on ", attempt->worker_name(), " (", HowText(attempt->emulated()), ")");
  }
  absl::StrAppend(&text, build.optional() ? ", which was optional" : "", "\n");
  // The build's failure may only sum up those of its attempts.
  const v1::Failure& failure = build.failure();
  const v1::Failure& detail =
      failure.last_lines().empty() && attempt != nullptr ? attempt->failure() : failure;
  if (!detail.step().empty()) absl::StrAppend(&text, "  step: ", SafeLine(detail.step()), "\n");
  for (int i = OutputOfStep(detail); i < detail.last_lines_size(); ++i) {
    absl::StrAppend(&text, "  | ", SafeLine(detail.last_lines(i)), "\n");
  }
  // Not twice, where the program's own last line says it already.
  const auto said = [&](const std::string& message) {
    return !detail.last_lines().empty() && absl::EndsWith(*detail.last_lines().rbegin(), message);
  };
  const std::string message = MessageWithout(failure.message(), platform);
  const std::pair<std::string, std::string> all =
      absl::StrSplit(failure.message(), absl::MaxSplits(", all: ", 1));
  const std::string each = MessageWithout(all.second, platform);
  if (absl::StartsWith(message, "gave up after ") && !each.empty()) {
    absl::StrAppend(&text, "  ", all.first, said(each) ? "" : ", all: ", said(each) ? "" : each,
                    "\n");
  } else if (!message.empty() && !said(message)) {
    absl::StrAppend(&text, "  ", message, "\n");
  }
  if (attempt != nullptr) {
    absl::StrAppend(&text, "  The whole log: manyarch logs ", job.id(), " --platform ", platform,
                    "\n");
  }
  return text;
}

}  // namespace

std::string ResultText(const v1::Job& job) {
  std::string text;
  for (const v1::TagResult& tag : job.tags()) {
    absl::StrAppend(&text, tag.reference(), "@", job.intent().digest());
    if (!tag.written()) {
      absl::StrAppend(&text, "  (tag not written",
                      tag.note().empty() ? "" : absl::StrCat(": ", SafeLine(tag.note())), ")");
    }
    absl::StrAppend(&text, "\n");
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::Build& build : job.builds()) {
    const bool there = build.state() == v1::BUILD_STATE_SUCCEEDED;
    rows.push_back({absl::StrCat("  ", PlatformText(build.platform())),
                    there
                        ? build.image().digest()
                        : absl::StrCat(Word(build.state()), build.optional() ? ", optional" : "")});
  }
  return text + AlignedTable(rows);
}

std::string FailureText(const v1::Job& job) {
  std::string text;
  switch (job.state()) {
    case v1::JOB_STATE_SUPERSEDED:
      return absl::StrCat(
          "job ", job.id(), " was superseded: ",
          SafeLine(job.status_reason().empty() ? "a job submitted later has claimed its tag"
                                               : job.status_reason()),
          "\n");
    case v1::JOB_STATE_CANCELLED:
      return absl::StrCat("job ", job.id(), " was cancelled",
                          job.failure().message().empty() ? "" : ": ",
                          SafeLine(job.failure().message()), "\n");
    default:
      break;
  }
  bool told = false;
  for (const v1::Build& build : job.builds()) {
    if (build.state() != v1::BUILD_STATE_FAILED) continue;
    // The warning at the end says all there is to say of a platform that nobody has tried. It does
    // not repeat the platform.
    absl::string_view reason = build.failure().message();
    absl::ConsumePrefix(&reason, absl::StrCat(PlatformText(build.platform()), ": "));
    if (build.attempts().empty() && !reason.empty() &&
        absl::StrContains(job.status_reason(), reason)) {
      continue;
    }
    text += BuildFailureText(job, build);
    told = told || build.failure().message() == job.failure().message();
  }
  if (job.state() == v1::JOB_STATE_FAILED && !job.failure().message().empty() && !told) {
    // In front, so that the platform, its step and its output stand last.
    text =
        absl::StrCat("job ", job.id(), " failed: ", SafeLine(job.failure().message()), "\n", text);
  }
  // Said last, so that nobody takes the list for a whole one.
  if (job.state() == v1::JOB_STATE_SUCCEEDED && !job.status_reason().empty()) {
    absl::StrAppend(&text, "WARNING: job ", job.id(), " was ", SafeLine(job.status_reason()), "\n");
  }
  return text;
}

}  // namespace manyarch::cli
