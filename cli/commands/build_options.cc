#include "cli/commands/build_options.h"

#include <cmath>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/build_values.h"
#include "common/base/status_macros.h"
#include "registry/reference.h"

namespace manyarch::cli {

namespace {

using NameValues = google::protobuf::RepeatedPtrField<v1::NameValue>;
using Texts = google::protobuf::RepeatedPtrField<std::string>;

absl::Status Invalid(absl::string_view text) { return absl::InvalidArgumentError(text); }

std::pair<std::string, std::string> Split(const std::string& text) {
  return absl::StrSplit(text, absl::MaxSplits('=', 1));
}

absl::Status AddPair(absl::string_view flag, const std::string& text, NameValues* to) {
  const auto [name, value] = Split(text);
  if (name.empty()) {
    return Invalid(absl::StrCat(flag, " '", text, "' has no name: write it NAME=VALUE"));
  }
  v1::NameValue& pair = *to->Add();
  pair.set_name(name);
  pair.set_value(value);
  return absl::OkStatus();
}

absl::Status AddBuildArgs(const BuildFlags& flags, const GetEnv& getenv,
                          v1::BuildOptions& options) {
  for (const std::string& arg : flags.build_args) {
    // As with docker: a name alone passes on this environment's value, where there is one.
    const bool bare = !absl::StrContains(arg, '=');
    const char* from_environment = bare && !arg.empty() ? getenv(arg.c_str()) : nullptr;
    if (bare && !arg.empty() && from_environment == nullptr) continue;
    MA_RETURN_IF_ERROR(AddPair(
        "--build-arg", from_environment == nullptr ? arg : absl::StrCat(arg, "=", from_environment),
        options.mutable_build_args()));
  }
  return absl::OkStatus();
}

absl::Status AddAnnotations(const BuildFlags& flags, v1::JobSpec& spec) {
  for (std::string text : flags.annotations) {
    // buildx says with a prefix what is annotated; images are, here.
    text = std::string(absl::StripPrefix(text, "manifest:"));
    for (const char* other : {"index:", "manifest-descriptor:", "index-descriptor:", "manifest["}) {
      if (!absl::StartsWith(text, other)) continue;
      return Invalid(absl::StrCat("--annotation '", text,
                                  "' is not for an image: only images can be annotated"));
    }
    MA_RETURN_IF_ERROR(
        AddPair("--annotation", text, spec.mutable_options()->mutable_annotations()));
  }
  if (flags.annotations.empty() || spec.format() == v1::IMAGE_FORMAT_OCI) return absl::OkStatus();
  return Invalid(
      "--annotation: Docker v2s2 images and lists cannot carry annotations; add --format oci, or "
      "use --label");
}

// "REPOSITORY", or buildx's "type=registry,ref=REPOSITORY".
absl::Status AddCaches(absl::string_view flag, const std::vector<std::string>& values, Texts* to) {
  for (const std::string& value : values) {
    std::string repository;
    if (!absl::StrContains(value, '=')) repository = value;
    for (absl::string_view field : absl::StrSplit(value, ',')) {
      if (!absl::StrContains(value, '=')) break;
      if (field == "type=registry" || field == "mode=max") continue;
      if (!absl::ConsumePrefix(&field, "ref=")) {
        return Invalid(absl::StrCat(flag, ": '", field,
                                    "' is not supported: write REPOSITORY, or "
                                    "type=registry,ref=REPOSITORY"));
      }
      repository = std::string(field);
    }
    const auto reference = registry::ParseRepository(repository);
    if (!reference.ok()) {
      return Invalid(absl::StrCat(flag, " '", value, "': ", reference.status().message(),
                                  "; a repository without tag and digest is wanted"));
    }
    to->Add(reference->Repository());
  }
  return absl::OkStatus();
}

absl::Status AddHosts(const BuildFlags& flags, v1::BuildOptions& options) {
  for (std::string entry : flags.add_hosts) {
    // docker takes NAME=ADDRESS, too.
    const size_t at = entry.find_first_of(":=");
    if (at != std::string::npos) entry[at] = ':';
    MA_RETURN_IF_ERROR(Annotate(CheckAddedHost(entry), "--add-host"));
    options.add_add_hosts(entry);
  }
  if (options.network() == "none" && options.add_hosts_size() > 0) {
    return Invalid(
        "--add-host: without a network RUN steps have no /etc/hosts; leave it out, or --network "
        "none");
  }
  return absl::OkStatus();
}

absl::Status AddLimits(const BuildFlags& flags, v1::BuildOptions& options) {
  if (!flags.memory.empty()) {
    const absl::StatusOr<int64_t> memory = ParseMemory(flags.memory);
    MA_RETURN_IF_ERROR(Annotate(memory.status(), "--memory"));
    options.set_memory_bytes(*memory);
  }
  if (!flags.cpus.empty()) {
    double cpus = 0;
    if (!absl::SimpleAtod(flags.cpus, &cpus) || !(cpus >= 0) || cpus > 1e6) {
      return Invalid(absl::StrCat("--cpus '", flags.cpus, "' is not a number: write it like 1.5"));
    }
    const auto millis = static_cast<int32_t>(std::lround(cpus * 1000));
    MA_RETURN_IF_ERROR(Annotate(CheckCpus(millis), "--cpus"));
    options.set_cpu_millis(millis);
  }
  return absl::OkStatus();
}

// --timestamp, else what reproducible builds have in their environment.
absl::Status AddTimestamp(const BuildFlags& flags, const GetEnv& getenv,
                          v1::BuildOptions& options) {
  const char* epoch = getenv("SOURCE_DATE_EPOCH");
  const bool from_flag = !flags.timestamp.empty();
  const std::string text = from_flag ? flags.timestamp : epoch == nullptr ? "" : epoch;
  if (text.empty()) return absl::OkStatus();
  const char* what = from_flag ? "--timestamp" : "SOURCE_DATE_EPOCH in the environment:";
  int64_t seconds = 0;
  if (!absl::SimpleAtoi(text, &seconds)) {
    return Invalid(absl::StrCat(what, " '", text, "' is not a number of seconds since 1970"));
  }
  MA_RETURN_IF_ERROR(Annotate(CheckTimestamp(seconds), what));
  options.set_timestamp(seconds);
  return absl::OkStatus();
}

}  // namespace

absl::Status AddBuildOptions(const BuildFlags& flags, const GetEnv& getenv, v1::JobSpec& spec) {
  v1::BuildOptions& options = *spec.mutable_options();
  if (flags.image_format == "oci") spec.set_format(v1::IMAGE_FORMAT_OCI);
  if (flags.image_format == "docker") spec.set_format(v1::IMAGE_FORMAT_DOCKER);
  MA_RETURN_IF_ERROR(AddBuildArgs(flags, getenv, options));
  for (const std::string& label : flags.labels) {
    MA_RETURN_IF_ERROR(AddPair("--label", label, options.mutable_labels()));
  }
  MA_RETURN_IF_ERROR(AddAnnotations(flags, spec));
  options.set_target(flags.target);
  options.set_no_cache(flags.no_cache);
  options.set_pull(flags.pull);
  options.set_squash(flags.squash);
  MA_RETURN_IF_ERROR(AddCaches("--cache-from", flags.cache_from, options.mutable_cache_from()));
  MA_RETURN_IF_ERROR(AddCaches("--cache-to", flags.cache_to, options.mutable_cache_to()));
  if (flags.squash && options.cache_from_size() + options.cache_to_size() > 0) {
    return Invalid(
        "--squash: a squashed build has no layers to cache; leave it out, or --cache-from and "
        "--cache-to");
  }
  MA_RETURN_IF_ERROR(Annotate(CheckNetwork(flags.network), "--network"));
  if (flags.network != "default") options.set_network(flags.network);
  MA_RETURN_IF_ERROR(AddHosts(flags, options));
  MA_RETURN_IF_ERROR(AddLimits(flags, options));
  MA_RETURN_IF_ERROR(AddTimestamp(flags, getenv, options));
  for (const std::string& text : flags.secrets) {
    MA_ASSIGN_OR_RETURN(const SecretSource source, ParseSecret(text, getenv));
    options.add_secret_ids(source.id);
  }
  for (const std::string& text : flags.ssh) {
    MA_ASSIGN_OR_RETURN(const SecretSource source, ParseSsh(text));
    options.add_ssh_ids(source.id);
  }
  return absl::OkStatus();
}

}  // namespace manyarch::cli
