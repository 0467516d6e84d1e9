#include "cli/render/changes.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

const v1::Build* FindBuild(const v1::Job* job, const std::string& platform) {
  if (job == nullptr) return nullptr;
  for (const v1::Build& build : job->builds()) {
    if (PlatformText(build.platform()) == platform) return &build;
  }
  return nullptr;
}

const v1::Attempt* FindAttempt(const v1::Build* build, const std::string& id) {
  if (build == nullptr) return nullptr;
  for (const v1::Attempt& attempt : build->attempts()) {
    if (attempt.id() == id) return &attempt;
  }
  return nullptr;
}

// "worker-2 (emulated)"
std::string Where(const v1::Attempt& attempt) {
  return absl::StrCat(attempt.worker_name(), attempt.emulated() ? " (emulated)" : "");
}

// One line that is still one on most screens; the whole of it comes with the result.
std::string Short(absl::string_view message, absl::string_view platform) {
  constexpr size_t kMost = 160;
  const std::string line = MessageWithout(message, platform);
  return line.size() <= kMost ? line : absl::StrCat(Truncated(line, kMost), "...");
}

// What the attempt that failed before this one said.
absl::string_view FailureBefore(const v1::Build& build, const v1::Attempt& attempt) {
  absl::string_view message;
  for (const v1::Attempt& other : build.attempts()) {
    if (other.id() == attempt.id()) break;
    if (other.has_failure()) message = other.failure().message();
  }
  return message;
}

// Empty where the new state is not worth a line.
std::string AttemptLine(const v1::Build& build, const v1::Attempt& attempt,
                        absl::string_view platform) {
  switch (attempt.state()) {
    case v1::ATTEMPT_STATE_ACCEPTED:
      return absl::StrCat("taken by ", Where(attempt));
    case v1::ATTEMPT_STATE_FETCHING:
      return absl::StrCat("fetching the context on ", Where(attempt));
    case v1::ATTEMPT_STATE_BUILDING:
      return absl::StrCat("building on ", Where(attempt));
    case v1::ATTEMPT_STATE_PUSHING:
      return absl::StrCat("pushing from ", Where(attempt));
    case v1::ATTEMPT_STATE_VERIFYING:
      return "checking the image in the registry";
    case v1::ATTEMPT_STATE_FAILED:
    case v1::ATTEMPT_STATE_LOST:
      return absl::StrCat("attempt ", attempt.number(), " on ", Where(attempt),
                          attempt.state() == v1::ATTEMPT_STATE_LOST ? " was lost: " : " failed: ",
                          attempt.failure().message() == FailureBefore(build, attempt)
                              ? "the same again"
                              : Short(attempt.failure().message(), platform));
    default:
      return "";
  }
}

// A build that was given up has told its attempts' failures.
std::string FailedShort(const v1::Build& build, absl::string_view platform) {
  const absl::string_view message = build.failure().message();
  if (!absl::StartsWith(message, "gave up after ")) return Short(message, platform);
  return std::string(message.substr(0, message.find_first_of(",:")));
}

// "to be tried again, because …" where an attempt's line has just said the rest.
bool IsRetry(const v1::Build& build) {
  absl::string_view reason = build.waiting_reason();
  if (!absl::ConsumePrefix(&reason, "to be tried again, because ")) return false;
  for (const v1::Attempt& attempt : build.attempts()) {
    if (attempt.has_failure() && attempt.failure().message() == reason) return true;
  }
  return false;
}

// Empty where the attempts' lines say it all.
std::string BuildLine(const v1::Build* before, const v1::Build& build, absl::string_view platform) {
  const bool entered = before == nullptr || before->state() != build.state();
  switch (build.state()) {
    case v1::BUILD_STATE_WAITING:
      if (build.waiting_reason().empty()) return "";
      if (!entered && before->waiting_reason() == build.waiting_reason()) return "";
      if (IsRetry(build)) return "trying again";
      return absl::StrCat(absl::StartsWith(build.waiting_reason(), "waiting") ? "" : "waiting: ",
                          SafeLine(build.waiting_reason()));
    case v1::BUILD_STATE_SUCCEEDED:
      return entered ? absl::StrCat("succeeded: ", build.image().digest()) : "";
    case v1::BUILD_STATE_FAILED:
      return entered ? absl::StrCat("failed: ", FailedShort(build, platform)) : "";
    case v1::BUILD_STATE_CANCELLED:
      return entered ? "cancelled" : "";
    default:
      return "";
  }
}

std::vector<std::string> DescribeChanges(const v1::Job* before, const v1::Job& after) {
  std::vector<std::string> lines;
  for (const v1::Build& build : after.builds()) {
    const std::string platform = PlatformText(build.platform());
    const v1::Build* old = FindBuild(before, platform);
    for (const v1::Attempt& attempt : build.attempts()) {
      const v1::Attempt* known = FindAttempt(old, attempt.id());
      if (known != nullptr && known->state() == attempt.state()) continue;
      // The build's own line tells the same failure when it ends the build.
      if (build.state() == v1::BUILD_STATE_FAILED &&
          attempt.failure().message() == build.failure().message()) {
        continue;
      }
      const std::string line = AttemptLine(build, attempt, platform);
      if (!line.empty()) lines.push_back(absl::StrCat(platform, ": ", line));
    }
    const std::string line = BuildLine(old, build, platform);
    if (!line.empty()) lines.push_back(absl::StrCat(platform, ": ", line));
    for (int i = old == nullptr ? 0 : old->warnings_size(); i < build.warnings_size(); ++i) {
      lines.push_back(absl::StrCat(platform, ": warning: ", SafeLine(build.warnings(i))));
    }
  }
  const bool entered = before == nullptr || before->state() != after.state();
  if (entered && after.state() == v1::JOB_STATE_PUBLISHING) {
    lines.push_back("publishing the manifest list");
  }
  if (!after.status_reason().empty() &&
      (before == nullptr || before->status_reason() != after.status_reason())) {
    lines.push_back(absl::StrCat("job: ", SafeLine(after.status_reason())));
  }
  return lines;
}

}  // namespace

std::vector<std::string> JobTeller::Tell(const v1::Job& job, absl::Time now) {
  std::vector<std::string> lines = DescribeChanges(last_.get(), job);
  if (PredictsOtherwise(job, now)) {
    told_finish_ = ToTime(job.predicted_finish());
    lines.push_back(absl::StrCat("job: ", TimeLeftText(job, now)));
  }
  last_ = std::make_unique<v1::Job>(job);
  return lines;
}

bool JobTeller::PredictsOtherwise(const v1::Job& job, absl::Time now) const {
  if (!job.has_predicted_finish()) return false;
  const absl::Time finish = ToTime(job.predicted_finish());
  if (finish <= now) return false;
  if (!told_finish_) return true;
  const absl::Duration moved = absl::AbsDuration(finish - *told_finish_);
  return moved > absl::Minutes(1) && moved > (finish - now) / 4;
}

}  // namespace manyarch::cli
