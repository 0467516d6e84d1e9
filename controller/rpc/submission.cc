#include "controller/rpc/submission.h"

#include <algorithm>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/build_values.h"
#include "common/base/digest.h"
#include "common/base/platform.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "controller/core/types.h"
#include "controller/rpc/build_options.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"
#include "registry/reference.h"

namespace manyarch::controller::rpc {

namespace {

constexpr size_t kShortestKey = 8;
constexpr size_t kLongestKey = 128;
constexpr int kMostTags = 100;
constexpr int kMostPlatforms = 32;
constexpr int kMostAttempts = 10;
constexpr absl::Duration kLongestTimeout = absl::Hours(24 * 7);

absl::Status Invalid(absl::string_view text) { return absl::InvalidArgumentError(text); }

absl::Status CheckTags(v1::JobSpec& spec) {
  if (spec.tags_size() == 0) return Invalid("the job has no tag; give at least one with -t");
  if (spec.tags_size() > kMostTags) {
    return Invalid(absl::StrCat("the job has ", spec.tags_size(), " tags, at most ", kMostTags,
                                " are allowed"));
  }
  std::set<std::string> seen;
  for (std::string& tag : *spec.mutable_tags()) {
    MA_ASSIGN_OR_RETURN(const registry::Reference ref, registry::ParseTagReference(tag));
    tag = ref.ToString();
    if (!seen.insert(tag).second) return Invalid(absl::StrCat("the tag ", tag, " is given twice"));
  }
  return absl::OkStatus();
}

absl::Status CheckPlatforms(v1::JobSpec& spec) {
  if (spec.platforms_size() == 0) {
    return Invalid("the job has no platform; give at least one with --platform");
  }
  if (spec.platforms_size() > kMostPlatforms) {
    return Invalid(absl::StrCat("the job has ", spec.platforms_size(), " platforms, at most ",
                                kMostPlatforms, " are allowed"));
  }
  std::set<Platform> seen;
  for (v1::PlatformRequest& request : *spec.mutable_platforms()) {
    const v1::Platform& asked = request.platform();
    const std::string text = absl::StrCat(asked.os(), "/", asked.arch(),
                                          asked.variant().empty() ? "" : "/", asked.variant());
    MA_ASSIGN_OR_RETURN(const Platform platform, ParsePlatform(text));
    if (!seen.insert(platform).second) {
      return Invalid(absl::StrCat("the platform ", ToString(platform), " is given twice"));
    }
    *request.mutable_platform() = wire::ToProto(platform);
  }
  const auto is_optional = [](const v1::PlatformRequest& request) { return request.optional(); };
  if (std::all_of(spec.platforms().begin(), spec.platforms().end(), is_optional)) {
    return Invalid(
        "every platform of the job is optional: at least one must be required, for a list without "
        "images is none");
  }
  // Old clients take the first entry that they can read as theirs: amd64 comes first.
  std::stable_sort(spec.mutable_platforms()->begin(), spec.mutable_platforms()->end(),
                   [](const v1::PlatformRequest& a, const v1::PlatformRequest& b) {
                     return a.platform().arch() == "amd64" && b.platform().arch() != "amd64";
                   });
  return absl::OkStatus();
}

absl::Status CheckArchTags(v1::JobSpec& spec) {
  if (spec.arch_tag_template().empty()) spec.set_arch_tag_template("{tag}-{arch}");
  const std::string& pattern = spec.arch_tag_template();
  if (pattern == "off") return absl::OkStatus();
  if (!absl::StrContains(pattern, "{arch}")) {
    return Invalid(
        absl::StrCat("the template '", pattern,
                     "' for per-architecture tags has no {arch}: every platform would get the "
                     "same tag. Use something like {tag}-{arch}, or off"));
  }
  std::set<std::string> taken(spec.tags().begin(), spec.tags().end());
  for (const registry::Reference& arch_tag : ArchTagsOf(spec)) {
    if (!registry::IsTag(arch_tag.tag)) {
      return Invalid(absl::StrCat("the per-architecture tag '", arch_tag.tag,
                                  "' (from the template '", pattern,
                                  "') is not a valid tag; use a shorter tag or template, or "
                                  "--arch-tags off"));
    }
    if (!taken.insert(arch_tag.ToString()).second) {
      return Invalid(
          absl::StrCat("the per-architecture tag ", arch_tag.ToString(),
                       " would be written twice; use another template or --arch-tags off"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckNamedContexts(const v1::BuildOptions& options) {
  constexpr int kMostContexts = 100;
  const auto plain = [](absl::string_view text, absl::string_view more) {
    return !text.empty() && text.size() <= 255 && text.front() != '-' &&
           std::all_of(text.begin(), text.end(), [&](char c) {
             return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    more.find(c) != absl::string_view::npos;
           });
  };
  if (options.contexts_size() > kMostContexts) {
    return Invalid(absl::StrCat("the job names ", options.contexts_size(), " contexts, at most ",
                                kMostContexts, " are allowed"));
  }
  std::set<std::string> names;
  for (const v1::NamedContext& context : options.contexts()) {
    if (!plain(context.name(), "._-/:@+")) {
      return Invalid(absl::StrCat("the context name '", context.name(), "' is not valid"));
    }
    const std::string what = absl::StrCat("the context named '", context.name(), "'");
    if (!names.insert(absl::AsciiStrToLower(context.name())).second) {
      return Invalid(absl::StrCat(what, " is given twice"));
    }
    if (context.has_root()) {
      MA_RETURN_IF_ERROR(Annotate(Digest::Parse(context.root()).status(), what));
    } else if (!plain(context.image(), "._-/:@")) {
      return Invalid(
          absl::StrCat(what, " is the image '", context.image(), "', which is no valid reference"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckSource(const std::string& source) {
  constexpr size_t kLongestSource = 4096;
  if (source.size() > kLongestSource) {
    return Invalid(absl::StrCat("where the context came from takes ", source.size(),
                                " bytes to say, at most ", kLongestSource, " are allowed"));
  }
  if (HasControlCharacters(source)) {
    return Invalid("where the context came from is said with control characters");
  }
  return absl::OkStatus();
}

absl::Status CheckPlacement(const v1::JobSpec& spec) {
  MA_RETURN_IF_ERROR(CheckPriority(spec.priority()));
  if (spec.hedge() && spec.emulation() == v1::EMULATION_POLICY_NEVER) {
    return Invalid(
        "the job is to be hedged, that is started under emulation, which its emulation policy "
        "(never) forbids: leave out --hedge or --emulation never");
  }
  std::set<std::string> names;
  for (const v1::NameValue& label : spec.constraints()) {
    if (label.name().empty()) {
      return Invalid(absl::StrCat("the constraint '=", label.value(), "' names no label"));
    }
    if (!names.insert(label.name()).second) {
      return Invalid(absl::StrCat("the label '", label.name(),
                                  "' is constrained twice: a worker has one value for each"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckOptions(v1::JobSpec& spec) {
  if (const auto root = Digest::Parse(spec.context_root()); !root.ok()) {
    return Annotate(root.status(), "the context of the job");
  }
  MA_RETURN_IF_ERROR(CheckSource(spec.source()));
  const std::string& file = spec.options().containerfile();
  const std::vector<std::string> parts = absl::StrSplit(file, '/');
  if (absl::StartsWith(file, "/") || std::find(parts.begin(), parts.end(), "..") != parts.end()) {
    return Invalid(
        absl::StrCat("the Containerfile '", file,
                     "' is not inside the context; give a path relative to the context"));
  }
  if (const std::string& digest = spec.options().containerfile_digest(); !digest.empty()) {
    MA_RETURN_IF_ERROR(Annotate(Digest::Parse(digest).status(), "the Containerfile of the job"));
    if (!file.empty()) return Invalid("the job's Containerfile is both inside and outside");
  }
  MA_RETURN_IF_ERROR(CheckNamedContexts(spec.options()));
  MA_RETURN_IF_ERROR(CheckBuildOptions(spec));
  MA_RETURN_IF_ERROR(CheckPlacement(spec));
  const absl::Duration timeout = wire::FromProto(spec.build_timeout());
  if (timeout < absl::ZeroDuration() || timeout > kLongestTimeout) {
    return Invalid(absl::StrCat("the build timeout must lie between 0 and ",
                                absl::FormatDuration(kLongestTimeout), ", not ",
                                absl::FormatDuration(timeout)));
  }
  if (spec.has_unschedulable_after() &&
      wire::FromProto(spec.unschedulable_after()) < absl::ZeroDuration()) {
    return Invalid("the time that a job may wait for a worker cannot be negative");
  }
  if (spec.max_attempts() < 0 || spec.max_attempts() > kMostAttempts) {
    return Invalid(absl::StrCat("the attempts of a build must lie between 1 and ", kMostAttempts,
                                ", not ", spec.max_attempts()));
  }
  return absl::OkStatus();
}

}  // namespace

std::vector<registry::Reference> ArchTagsOf(const v1::JobSpec& spec) {
  std::vector<registry::Reference> out;
  if (spec.arch_tag_template() == "off") return out;
  for (const std::string& tag : spec.tags()) {
    const auto ref = registry::ParseTagReference(tag);
    if (!ref.ok()) continue;
    for (const v1::PlatformRequest& request : spec.platforms()) {
      out.push_back(ref->WithTag(
          core::ArchTag(spec.arch_tag_template(), ref->tag, wire::FromProto(request.platform()))));
    }
  }
  return out;
}

JobSecrets SecretsOf(const v1::SubmitRequest& request) {
  return {{request.secrets().begin(), request.secrets().end()},
          {request.ssh_keys().begin(), request.ssh_keys().end()},
          request.authfile()};
}

absl::StatusOr<v1::JobSpec> CheckSubmission(const v1::SubmitRequest& request) {
  const std::string& key = request.idempotency_key();
  if (key.size() < kShortestKey || key.size() > kLongestKey) {
    return Invalid(absl::StrCat("the idempotency key must have ", kShortestKey, " to ", kLongestKey,
                                " characters, not ", key.size()));
  }
  if (const auto hash = Digest::Parse(request.request_hash()); !hash.ok()) {
    return Annotate(hash.status(), "the request's hash");
  }
  v1::JobSpec spec = request.spec();
  MA_RETURN_IF_ERROR(CheckTags(spec));
  MA_RETURN_IF_ERROR(CheckPlatforms(spec));
  MA_RETURN_IF_ERROR(CheckArchTags(spec));
  MA_RETURN_IF_ERROR(CheckOptions(spec));
  MA_RETURN_IF_ERROR(CheckSecrets(spec.options(), SecretsOf(request)));
  // Until there is authentication nobody can prove to be anybody.
  spec.set_principal("anonymous");
  if (spec.project().empty()) spec.set_project("default");
  return spec;
}

}  // namespace manyarch::controller::rpc
