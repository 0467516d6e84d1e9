// SpecFromFlags: all that can be wrong with the flags is found here, before anything is sent.
#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "cli/commands/build_flags.h"
#include "cli/commands/build_options.h"
#include "cli/commands/spec_text.h"
#include "common/base/build_values.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"
#include "registry/reference.h"

namespace manyarch::cli {

namespace {

absl::StatusOr<absl::Duration> ParseDuration(const std::string& flag, const std::string& text) {
  absl::Duration duration;
  int64_t seconds = 0;
  if (absl::SimpleAtoi(text, &seconds)) {
    duration = absl::Seconds(seconds);
  } else if (!absl::ParseDuration(text, &duration)) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " '", text, "' is not a duration: write it like 90s, 15m or 1h30m"));
  }
  if (duration < absl::ZeroDuration() || duration > absl::Hours(24 * 365)) {
    return absl::InvalidArgumentError(
        absl::StrCat(flag, " '", text, "' is out of range: use 0 to 8760h"));
  }
  return duration;
}

void SetDuration(absl::Duration from, google::protobuf::Duration* to) {
  to->set_seconds(absl::ToInt64Seconds(from));
  to->set_nanos(static_cast<int32_t>(
      absl::ToInt64Nanoseconds(from - absl::Seconds(absl::ToInt64Seconds(from)))));
}

absl::Status AddTags(const BuildFlags& flags, v1::JobSpec& spec) {
  if (flags.tags.empty()) {
    return absl::InvalidArgumentError(
        "no tag given: name the image with -t, e.g. -t 127.0.0.1:5000/demo/hello:1.0");
  }
  std::set<std::string> seen;
  for (const std::string& tag : flags.tags) {
    auto reference = registry::ParseTagReference(tag);
    MA_RETURN_IF_ERROR(Annotate(reference.status(), "--tag"));
    // The same tag twice is one tag.
    if (seen.insert(reference->ToString()).second) spec.add_tags(reference->ToString());
  }
  return absl::OkStatus();
}

// "linux/amd64,linux/riscv64?": the pieces without question marks, and those that had one.
struct PlatformPieces {
  std::vector<std::string> all;
  std::set<Platform> optional;
};

absl::StatusOr<PlatformPieces> SplitPlatforms(const BuildFlags& flags) {
  PlatformPieces pieces;
  for (const std::string& item : flags.platforms) {
    for (absl::string_view piece : absl::StrSplit(item, ',')) {
      piece = absl::StripAsciiWhitespace(piece);
      if (absl::ConsumeSuffix(&piece, "?")) {
        MA_ASSIGN_OR_RETURN(Platform platform, ParsePlatform(piece));
        pieces.optional.insert(std::move(platform));
      }
      pieces.all.emplace_back(piece);
    }
  }
  return pieces;
}

absl::Status AddPlatforms(const BuildFlags& flags, const std::string& machine, v1::JobSpec& spec) {
  auto pieces = SplitPlatforms(flags);
  MA_RETURN_IF_ERROR(Annotate(pieces.status(), "--platform"));
  if (pieces->all.empty()) pieces->all.push_back(absl::StrCat("linux/", machine));
  auto platforms = ParsePlatformList(pieces->all);
  MA_RETURN_IF_ERROR(Annotate(platforms.status(), "--platform"));
  // --optional may repeat what --platform names, or name something more.
  if (!flags.optional.empty()) {
    const auto optional = ParsePlatformList(flags.optional);
    MA_RETURN_IF_ERROR(Annotate(optional.status(), "--optional"));
    for (const Platform& platform : *optional) {
      pieces->optional.insert(platform);
      if (std::find(platforms->begin(), platforms->end(), platform) == platforms->end()) {
        platforms->push_back(platform);
      }
    }
  }
  if (pieces->optional.size() == platforms->size()) {
    return absl::InvalidArgumentError(
        "every platform is optional: at least one must be required, for a list without images is "
        "none");
  }
  for (const Platform& platform : *platforms) {
    v1::PlatformRequest& request = *spec.add_platforms();
    request.set_optional(pieces->optional.contains(platform));
    v1::Platform& to = *request.mutable_platform();
    to.set_os(platform.os);
    to.set_arch(platform.arch);
    to.set_variant(platform.variant);
  }
  return absl::OkStatus();
}

absl::Status SetArchTags(const BuildFlags& flags, v1::JobSpec& spec) {
  if (flags.arch_tags.empty()) return absl::OkStatus();
  spec.set_arch_tag_template(flags.arch_tags);
  if (flags.arch_tags == "off") return absl::OkStatus();
  const std::string example =
      absl::StrReplaceAll(flags.arch_tags, {{"{tag}", "t"}, {"{arch}", "a"}});
  if (flags.arch_tags.find("{arch}") == std::string::npos || !registry::IsTag(example)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--arch-tags '", flags.arch_tags,
                     "' makes no usable tags: write a template like {tag}-{arch}, or off"));
  }
  return absl::OkStatus();
}

void SetPublishing(const BuildFlags& flags, v1::JobSpec& spec) {
  if (flags.immutable) spec.set_immutable(true);
}

absl::Status AddConstraints(const BuildFlags& flags, v1::JobSpec& spec) {
  std::set<std::string> names;
  for (const std::string& text : flags.constraints) {
    const size_t equals = text.find('=');
    if (equals == 0 || equals == std::string::npos) {
      return absl::InvalidArgumentError(
          absl::StrCat("--constraint '", text, "' is no label of a worker: write it NAME=VALUE"));
    }
    if (!names.insert(text.substr(0, equals)).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("--constraint '", text, "' names a label that another --constraint names: ",
                       "a worker has one value for each, so give each once"));
    }
    v1::NameValue& to = *spec.add_constraints();
    to.set_name(text.substr(0, equals));
    to.set_value(text.substr(equals + 1));
  }
  return absl::OkStatus();
}

absl::Status SetPriority(const BuildFlags& flags, v1::JobSpec& spec) {
  if (flags.priority.empty()) return absl::OkStatus();
  int64_t priority = 0;
  if (!absl::SimpleAtoi(flags.priority, &priority)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--priority '", flags.priority, "' is not a whole number: use -100 to 100, say 5"));
  }
  MA_RETURN_IF_ERROR(Annotate(CheckPriority(priority), "--priority"));
  if (priority != 0) spec.set_priority(static_cast<int32_t>(priority));
  return absl::OkStatus();
}

v1::EmulationPolicy Emulation(const std::string& text) {
  if (text == "never") return v1::EMULATION_POLICY_NEVER;
  if (text == "fallback") return v1::EMULATION_POLICY_FALLBACK;
  if (text == "allow") return v1::EMULATION_POLICY_ALLOW;
  return v1::EMULATION_POLICY_UNSPECIFIED;
}

v1::BinaryCheck BinaryCheck(const std::string& text) {
  if (text == "warn") return v1::BINARY_CHECK_WARN;
  if (text == "strict") return v1::BINARY_CHECK_STRICT;
  if (text == "off") return v1::BINARY_CHECK_OFF;
  return v1::BINARY_CHECK_UNSPECIFIED;
}

}  // namespace

absl::StatusOr<v1::JobSpec> SpecFromFlags(const BuildFlags& flags,
                                          const std::function<const char*(const char*)>& getenv,
                                          const std::string& machine) {
  if (!flags.refused.empty()) return absl::InvalidArgumentError(flags.refused.front());
  v1::JobSpec spec;
  spec.set_principal("anonymous");
  spec.set_project(flags.project);
  MA_RETURN_IF_ERROR(SetPriority(flags, spec));
  MA_RETURN_IF_ERROR(AddTags(flags, spec));
  MA_RETURN_IF_ERROR(AddPlatforms(flags, machine, spec));
  MA_RETURN_IF_ERROR(AddBuildOptions(flags, getenv, spec));
  MA_RETURN_IF_ERROR(SetArchTags(flags, spec));
  SetPublishing(flags, spec);
  spec.set_keep_going(flags.keep_going);
  spec.set_emulation(Emulation(flags.emulation));
  if (flags.hedge && flags.emulation == "never") {
    return absl::InvalidArgumentError(
        "--hedge starts builds under emulation, which --emulation never forbids: leave out one of "
        "them");
  }
  spec.set_hedge(flags.hedge);
  MA_RETURN_IF_ERROR(AddConstraints(flags, spec));
  spec.set_binary_check(BinaryCheck(flags.check_binaries));
  spec.set_max_attempts(flags.max_attempts);
  if (!flags.timeout.empty()) {
    MA_ASSIGN_OR_RETURN(const absl::Duration timeout, ParseDuration("--timeout", flags.timeout));
    if (timeout < absl::Seconds(1)) {
      return absl::InvalidArgumentError("--timeout must be at least 1s");
    }
    SetDuration(timeout, spec.mutable_build_timeout());
  }
  if (!flags.unschedulable_after.empty()) {
    MA_ASSIGN_OR_RETURN(const absl::Duration after,
                        ParseDuration("--unschedulable-after", flags.unschedulable_after));
    SetDuration(after, spec.mutable_unschedulable_after());
  }
  MA_RETURN_IF_ERROR(CheckSpecText(spec));
  return spec;
}

}  // namespace manyarch::cli
