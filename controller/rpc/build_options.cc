#include "controller/rpc/build_options.h"

#include <algorithm>
#include <set>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/build_values.h"
#include "common/base/status_macros.h"
#include "registry/reference.h"

namespace manyarch::controller::rpc {

namespace {

using NameValues = google::protobuf::RepeatedPtrField<v1::NameValue>;
using Texts = google::protobuf::RepeatedPtrField<std::string>;

absl::Status Invalid(absl::string_view text) { return absl::InvalidArgumentError(text); }

absl::Status CheckPairs(absl::string_view kind, const NameValues& pairs) {
  for (const v1::NameValue& pair : pairs) {
    MA_RETURN_IF_ERROR(CheckName(kind, pair.name()));
    MA_RETURN_IF_ERROR(CheckText(kind, pair.value()));
  }
  return absl::OkStatus();
}

absl::Status CheckIds(absl::string_view kind, const Texts& ids) {
  std::set<std::string> seen;
  for (const std::string& id : ids) {
    MA_RETURN_IF_ERROR(CheckSecretId(kind, id));
    if (!seen.insert(id).second) {
      return Invalid(absl::StrCat("the ", kind, " '", id, "' is given twice"));
    }
  }
  return absl::OkStatus();
}

absl::Status NormaliseCaches(absl::string_view flag, Texts& repositories) {
  for (std::string& text : repositories) {
    const auto reference = registry::ParseRepository(text);
    MA_RETURN_IF_ERROR(Annotate(reference.status(), flag));
    text = reference->Repository();
  }
  return absl::OkStatus();
}

absl::Status CheckCombinations(const v1::JobSpec& spec) {
  const v1::BuildOptions& options = spec.options();
  if (options.annotations_size() > 0 && spec.format() != v1::IMAGE_FORMAT_OCI) {
    return Invalid(
        "Docker v2s2 images and lists cannot carry annotations: build with --format oci, or use "
        "--label");
  }
  if (options.squash() && options.cache_from_size() + options.cache_to_size() > 0) {
    return Invalid(
        "a squashed build has no layers to cache: leave out --squash, or --cache-from and "
        "--cache-to");
  }
  if (options.network() == "none" && options.add_hosts_size() > 0) {
    return Invalid(
        "without a network RUN steps have no /etc/hosts: leave out --add-host, or --network none");
  }
  return absl::OkStatus();
}

absl::Status CheckValues(absl::string_view kind, const Texts& ids,
                         const std::vector<v1::Secret>& secrets, size_t* total) {
  std::set<std::string> wanted(ids.begin(), ids.end());
  for (const v1::Secret& secret : secrets) {
    if (wanted.erase(secret.id()) == 0) {
      return Invalid(absl::StrCat("the ", kind, " '", secret.id(),
                                  "' came with the job, whose options do not name it (or twice)"));
    }
    if (secret.value().size() > kLargestSecret) {
      return Invalid(absl::StrCat("the ", kind, " '", secret.id(), "' has ", secret.value().size(),
                                  " bytes, at most ", kLargestSecret, " are allowed"));
    }
    *total += secret.value().size();
  }
  if (wanted.empty()) return absl::OkStatus();
  return Invalid(absl::StrCat("the ", kind, " '", *wanted.begin(), "' did not come with the job"));
}

}  // namespace

absl::Status CheckBuildOptions(v1::JobSpec& spec) {
  v1::BuildOptions& options = *spec.mutable_options();
  MA_RETURN_IF_ERROR(CheckText("Containerfile's name", options.containerfile()));
  MA_RETURN_IF_ERROR(CheckText("target", options.target()));
  MA_RETURN_IF_ERROR(CheckPairs("build argument", options.build_args()));
  MA_RETURN_IF_ERROR(CheckPairs("label", options.labels()));
  MA_RETURN_IF_ERROR(CheckPairs("annotation", options.annotations()));
  MA_RETURN_IF_ERROR(NormaliseCaches("--cache-from", *options.mutable_cache_from()));
  MA_RETURN_IF_ERROR(NormaliseCaches("--cache-to", *options.mutable_cache_to()));
  if (options.has_timestamp()) MA_RETURN_IF_ERROR(CheckTimestamp(options.timestamp()));
  for (const std::string& host : options.add_hosts()) MA_RETURN_IF_ERROR(CheckAddedHost(host));
  MA_RETURN_IF_ERROR(CheckNetwork(options.network()));
  if (options.network() == "default") options.clear_network();
  MA_RETURN_IF_ERROR(CheckMemory(options.memory_bytes()));
  MA_RETURN_IF_ERROR(CheckCpus(options.cpu_millis()));
  MA_RETURN_IF_ERROR(CheckIds("secret", options.secret_ids()));
  MA_RETURN_IF_ERROR(CheckIds("ssh key", options.ssh_ids()));
  return CheckCombinations(spec);
}

absl::Status CheckSecrets(const v1::BuildOptions& options, const JobSecrets& secrets) {
  size_t total = secrets.authfile.size();
  MA_RETURN_IF_ERROR(CheckValues("secret", options.secret_ids(), secrets.secrets, &total));
  MA_RETURN_IF_ERROR(CheckValues("ssh key", options.ssh_ids(), secrets.ssh_keys, &total));
  if (secrets.authfile.size() > kLargestSecret) {
    return Invalid(absl::StrCat("the job's auth file has ", secrets.authfile.size(),
                                " bytes, at most ", kLargestSecret, " are allowed"));
  }
  if (total <= kLargestSecrets) return absl::OkStatus();
  return Invalid(absl::StrCat("the secrets of the job have ", total, " bytes together, at most ",
                              kLargestSecrets, " are allowed"));
}

}  // namespace manyarch::controller::rpc
