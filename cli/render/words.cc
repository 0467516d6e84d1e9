#include "cli/render/words.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "common/base/utf8.h"

namespace manyarch::cli {

namespace {

// "JOB_STATE_SUCCEEDED" without "JOB_STATE_", in lower case. Newer controllers may send values that
// have no name here.
std::string WithoutPrefix(absl::string_view name, absl::string_view prefix) {
  if (name.empty()) return "unknown";
  absl::ConsumePrefix(&name, prefix);
  if (name == "UNSPECIFIED") return "unknown";
  return absl::AsciiStrToLower(name);
}

}  // namespace

std::string Word(v1::JobState state) {
  return WithoutPrefix(v1::JobState_Name(state), "JOB_STATE_");
}
std::string Word(v1::BuildState state) {
  return WithoutPrefix(v1::BuildState_Name(state), "BUILD_STATE_");
}
std::string Word(v1::AttemptState state) {
  return WithoutPrefix(v1::AttemptState_Name(state), "ATTEMPT_STATE_");
}
std::string Word(v1::WorkerState state) {
  return WithoutPrefix(v1::WorkerState_Name(state), "WORKER_STATE_");
}
std::string Word(v1::WorkerAdmission admission) {
  return WithoutPrefix(v1::WorkerAdmission_Name(admission), "WORKER_ADMISSION_");
}
std::string Word(v1::FailureClass cls) {
  return WithoutPrefix(v1::FailureClass_Name(cls), "FAILURE_CLASS_");
}

std::string PlatformText(const v1::Platform& platform) {
  std::string text = absl::StrCat(platform.os(), "/", platform.arch());
  if (!platform.variant().empty()) absl::StrAppend(&text, "/", platform.variant());
  return text;
}

std::string HowText(bool emulated) { return emulated ? "emulated" : "native"; }

std::string ShortDuration(absl::Duration duration) {
  const int64_t s = std::max<int64_t>(0, absl::ToInt64Seconds(duration));
  if (s < 60) return absl::StrCat(s, "s");
  if (s < 3600) return absl::StrFormat("%dm %02ds", s / 60, s % 60);
  if (s < 86400) return absl::StrFormat("%dh %02dm", s / 3600, s / 60 % 60);
  return absl::StrFormat("%dd %02dh", s / 86400, s / 3600 % 24);
}

absl::Time ToTime(const google::protobuf::Timestamp& time) {
  return absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
}

std::string Age(const google::protobuf::Timestamp& time, absl::Time now) {
  if (time.seconds() == 0) return "-";
  const int64_t s = std::max<int64_t>(0, absl::ToInt64Seconds(now - ToTime(time)));
  if (s < 60) return absl::StrCat(s, "s ago");
  if (s < 3600) return absl::StrCat(s / 60, "m ago");
  if (s < int64_t{2} * 86400) return absl::StrCat(s / 3600, "h ago");
  return absl::StrCat(s / 86400, "d ago");
}

std::string RoughDuration(absl::Duration duration) {
  const int64_t minutes = absl::ToInt64Minutes(duration + absl::Seconds(30));
  if (minutes < 1) return "less than a minute";
  if (minutes < 120) return absl::StrCat("about ", minutes, " min");
  return absl::StrFormat("about %d h %02d min", minutes / 60, minutes % 60);
}

std::string TimeLeftText(const v1::Job& job, absl::Time now) {
  if (!job.has_predicted_finish()) return "";
  const absl::Duration left = ToTime(job.predicted_finish()) - now;
  const bool over = left <= absl::ZeroDuration();
  const char* const guess = job.finish_guessed() ? " (a guess)" : "";
  return absl::StrCat(over ? "longer than predicted" : absl::StrCat(RoughDuration(left), " left"),
                      guess, ", ", PlatformText(job.gating()), " decides");
}

std::string StartText(const v1::Build& build, absl::Time now) {
  if (!build.has_predicted_start()) return "";
  const absl::Duration left = ToTime(build.predicted_start()) - now;
  const std::string when =
      left <= absl::ZeroDuration() ? "any moment" : absl::StrCat("in ", RoughDuration(left));
  return absl::StrCat(
      "starts ", when,
      build.predicted_worker().empty() ? "" : absl::StrCat(" on ", build.predicted_worker()),
      build.start_guessed() ? " (a guess)" : "");
}

std::string PredictionText(const v1::Build& build, absl::Time now) {
  const auto in = [&](const google::protobuf::Timestamp& time) {
    return absl::StrCat(" in about ",
                        ShortDuration(std::max(absl::ZeroDuration(), ToTime(time) - now)));
  };
  std::string text;
  if (build.has_predicted_start()) absl::StrAppend(&text, "; starts", in(build.predicted_start()));
  if (build.has_predicted_finish()) {
    absl::StrAppend(&text, text.empty() ? "; ends" : ", ends", in(build.predicted_finish()));
  }
  if (text.empty()) return "";
  if (build.has_predicted_finish() && build.time_guessed()) {
    text += " (a guess: nothing like it was built yet)";
  } else if (build.start_guessed()) {
    text += " (a guess: nothing like what runs there before it was built yet)";
  }
  return text;
}

std::string SafeLine(absl::string_view line) {
  std::string safe;
  safe.reserve(line.size());
  for (size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '\x1b' && i + 1 < line.size() && line[i + 1] == '[') {
      // A control sequence: parameters, then one byte from '@' to '~'.
      i += 2;
      while (i < line.size() && (line[i] < '@' || line[i] > '~')) ++i;
    } else if (line[i] == '\r' && i + 1 < line.size()) {
      safe.clear();  // What a terminal would have drawn over.
    } else if (line[i] == '\t') {
      safe.push_back(line[i]);
    } else if (const size_t control = ControlLength(line.substr(i)); control > 0) {
      i += control - 1;
    } else if (line[i] != '\xc2' || Utf8Length(line.substr(i)) > 0) {
      // A lone 0xc2 could become a control character with what follows what is left out behind it.
      safe.push_back(line[i]);
    }
  }
  return safe;
}

std::string MessageWithout(absl::string_view message, absl::string_view platform) {
  absl::ConsumePrefix(&message, absl::StrCat(platform, ": "));
  return SafeLine(message);
}

absl::string_view Truncated(absl::string_view text, size_t n) {
  if (text.size() <= n) return text;
  while (n > 0 && (static_cast<unsigned char>(text[n]) & 0xC0U) == 0x80U) --n;
  return text.substr(0, n);
}

}  // namespace manyarch::cli
