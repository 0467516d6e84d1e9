#include "worker/build/build_options.h"

#include <algorithm>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/build_values.h"
#include "common/base/status_macros.h"

namespace manyarch::worker {

namespace {

using NameValues = google::protobuf::RepeatedPtrField<v1::NameValue>;
using Secrets = google::protobuf::RepeatedPtrField<v1::Secret>;
using Ids = google::protobuf::RepeatedPtrField<std::string>;

// buildah before this takes the last one of several.
constexpr BuildahVersion kSeveralCaches = {1, 30, 0};

absl::Status CheckPairs(absl::string_view kind, const NameValues& pairs) {
  for (const v1::NameValue& pair : pairs) {
    MA_RETURN_IF_ERROR(CheckName(kind, pair.name()));
    MA_RETURN_IF_ERROR(CheckText(kind, pair.value()));
  }
  return absl::OkStatus();
}

absl::Status CheckSecrets(absl::string_view kind, const Ids& ids, const Secrets& secrets) {
  for (const std::string& id : ids) {
    MA_RETURN_IF_ERROR(CheckSecretId(kind, id));
    const bool there = std::any_of(secrets.begin(), secrets.end(),
                                   [&](const v1::Secret& secret) { return secret.id() == id; });
    if (!there) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ", kind, " '", id, "' did not come with the build"));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckIsolation(const v1::BuildOptions& options, const BuildahInfo& buildah) {
  if (buildah.isolation == Isolation::kOci) return absl::OkStatus();
  const char* what = options.memory_bytes() > 0    ? "--memory"
                     : options.cpu_millis() > 0    ? "--cpus"
                     : options.network() == "none" ? "--network none"
                                                   : nullptr;
  if (what == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("this worker builds with isolation chroot, which has no ", what,
                   "; build without it, or start the worker with --isolation oci (it needs runc)"));
}

}  // namespace

absl::Status CheckBuildOptions(const v1::Offer& offer, const BuildahInfo& buildah) {
  const v1::BuildOptions& options = offer.options();
  MA_RETURN_IF_ERROR(CheckText("Containerfile's name", options.containerfile()));
  MA_RETURN_IF_ERROR(CheckText("target", options.target()));
  MA_RETURN_IF_ERROR(CheckPairs("build argument", options.build_args()));
  MA_RETURN_IF_ERROR(CheckPairs("label", options.labels()));
  MA_RETURN_IF_ERROR(CheckPairs("annotation", options.annotations()));
  if (options.annotations_size() > 0 && offer.format() != v1::IMAGE_FORMAT_OCI) {
    return absl::InvalidArgumentError("Docker v2s2 images cannot carry annotations");
  }
  for (const std::string& host : options.add_hosts()) MA_RETURN_IF_ERROR(CheckAddedHost(host));
  MA_RETURN_IF_ERROR(CheckNetwork(options.network()));
  for (const Ids* repositories : {&options.cache_from(), &options.cache_to()}) {
    for (const std::string& repository : *repositories) {
      MA_RETURN_IF_ERROR(CheckText("cache repository", repository));
    }
  }
  for (const v1::NamedContext& context : options.contexts()) {
    MA_RETURN_IF_ERROR(CheckName("context's name", context.name()));
    MA_RETURN_IF_ERROR(CheckText("context's image", context.image()));
  }
  MA_RETURN_IF_ERROR(CheckMemory(options.memory_bytes()));
  MA_RETURN_IF_ERROR(CheckCpus(options.cpu_millis()));
  if (options.has_timestamp()) MA_RETURN_IF_ERROR(CheckTimestamp(options.timestamp()));
  MA_RETURN_IF_ERROR(CheckSecrets("secret", options.secret_ids(), offer.secrets()));
  MA_RETURN_IF_ERROR(CheckSecrets("ssh key", options.ssh_ids(), offer.ssh_keys()));
  return CheckIsolation(options, buildah);
}

std::vector<std::string> OptionWarnings(const v1::BuildOptions& options,
                                        const BuildahInfo& buildah) {
  std::vector<std::string> warnings;
  const auto last_only = [&](absl::string_view flag, const Ids& repositories) {
    if (repositories.size() < 2 || buildah.version >= kSeveralCaches) return;
    warnings.push_back(absl::StrCat("buildah ", ToString(buildah.version), " takes one ", flag,
                                    ": only ", *repositories.rbegin(), " was used"));
  };
  last_only("--cache-from", options.cache_from());
  last_only("--cache-to", options.cache_to());
  return warnings;
}

std::string UnusedBuildArgs(const std::vector<std::string>& last_lines,
                            const v1::BuildOptions& options) {
  std::set<std::string> given;
  for (const v1::NameValue& arg : options.build_args()) given.insert(arg.name());
  std::vector<std::string> unused;
  for (absl::string_view line : last_lines) {
    if (!absl::ConsumePrefix(&line, "[Warning] one or more build args were not consumed: [") ||
        !absl::ConsumeSuffix(&line, "]")) {
      continue;
    }
    for (absl::string_view name : absl::StrSplit(line, ' ')) {
      if (given.erase(std::string(name)) > 0) unused.emplace_back(name);
    }
  }
  if (unused.empty()) return "";
  return absl::StrCat("the Containerfile has no ARG for ", absl::StrJoin(unused, ", "),
                      unused.size() == 1 ? ": this build argument was not used"
                                         : ": these build arguments were not used");
}

}  // namespace manyarch::worker
