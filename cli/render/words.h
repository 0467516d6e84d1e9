// How states, times and platforms are written for people.
#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// "succeeded", "waiting", …: the enum value's last word.
std::string Word(v1::JobState state);
std::string Word(v1::BuildState state);
std::string Word(v1::AttemptState state);
std::string Word(v1::WorkerState state);
std::string Word(v1::WorkerAdmission admission);
std::string Word(v1::FailureClass cls);

// "linux/arm/v7"
std::string PlatformText(const v1::Platform& platform);
// "native" or "emulated"
std::string HowText(bool emulated);

// "12s", "3m 05s", "2h 07m", "4d 03h"
std::string ShortDuration(absl::Duration duration);
// "3m ago"; "-" where the time is not set.
std::string Age(const google::protobuf::Timestamp& time, absl::Time now);
absl::Time ToTime(const google::protobuf::Timestamp& time);

// "less than a minute", "about 12 min", "about 2 h 05 min": for what is predicted.
std::string RoughDuration(absl::Duration duration);

// "about 12 min left, linux/s390x decides" while that can be told; else empty. What rests on
// nothing learned is called a guess, here and below.
std::string TimeLeftText(const v1::Job& job, absl::Time now);

// "starts in about 3 min on w2", as far as it is predicted; else empty.
std::string StartText(const v1::Build& build, absl::Time now);

// "; starts in about 3m, ends in about 13m", as far as it is predicted; else empty.
std::string PredictionText(const v1::Build& build, absl::Time now);

// One line that is safe to show: escape sequences and control characters are taken out, tabs kept.
std::string SafeLine(absl::string_view line);

// A failure's sentence without the platform in front, for places that name the platform themselves.
std::string MessageWithout(absl::string_view message, absl::string_view platform);

// The first `n` bytes at most, never half a UTF-8 character.
absl::string_view Truncated(absl::string_view text, size_t n);

}  // namespace manyarch::cli
