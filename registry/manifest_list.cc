#include <algorithm>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/json.h"
#include "registry/manifest.h"

namespace manyarch::registry {

namespace {

bool IsNoImage(const ListEntry& entry) {
  return IsAttestation(
      {entry.media_type, entry.digest, entry.size, entry.platform, "", "", entry.annotations});
}

int Rank(const ListEntry& entry) {
  const Platform& platform = entry.platform;
  if (IsNoImage(entry)) return 3;
  if (platform.os != "linux" || platform.arch != "amd64") return 2;
  return platform.variant.empty() ? 0 : 1;
}

absl::Status CheckEntries(absl::Span<const ListEntry> entries, bool docker) {
  const absl::string_view child_type = docker ? kDockerManifest : kOciManifest;
  if (entries.empty()) {
    return absl::InvalidArgumentError("cannot build a manifest list of no images");
  }
  for (size_t i = 0; i < entries.size(); ++i) {
    const ListEntry& entry = entries[i];
    const std::string platform = ToString(entry.platform);
    if (entry.media_type != child_type) {
      return absl::InvalidArgumentError(absl::StrCat("cannot put the image for ", platform,
                                                     " into the list: its manifest is of "
                                                     "type '",
                                                     entry.media_type, "', want '", child_type,
                                                     "'"));
    }
    if (entry.size <= 0 || entry.platform.os.empty() || entry.platform.arch.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("cannot put image ", entry.digest.ToString(),
                                                     " into the list: its platform (", platform,
                                                     ") or size (", entry.size, ") is incomplete"));
    }
    if (docker && !entry.annotations.empty()) {
      return absl::InvalidArgumentError(
          absl::StrCat("cannot put the annotation '", entry.annotations.begin()->first,
                       "' into the list: a Docker manifest list has no annotations; leave it out, "
                       "or use the format oci"));
    }
    if (IsNoImage(entry)) continue;
    for (size_t j = 0; j < i; ++j) {
      if (!IsNoImage(entries[j]) && ListForm(entries[j].platform) == ListForm(entry.platform)) {
        return absl::InvalidArgumentError(
            absl::StrCat("cannot build a manifest list with two images for ", platform));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<WrittenManifest> BuildManifestList(absl::Span<const ListEntry> entries,
                                                  Format format, const Annotations& annotations) {
  const bool docker = format == Format::kDocker;
  MA_RETURN_IF_ERROR(CheckEntries(entries, docker));
  if (docker && !annotations.empty()) {
    return absl::InvalidArgumentError(
        "a Docker manifest list has no annotations; leave them out, or use the format oci");
  }
  std::vector<ListEntry> sorted(entries.begin(), entries.end());
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const ListEntry& a, const ListEntry& b) { return Rank(a) < Rank(b); });

  const std::string media_type(docker ? kDockerList : kOciIndex);
  nlohmann::ordered_json list;
  list["schemaVersion"] = 2;
  list["mediaType"] = media_type;
  for (const ListEntry& entry : sorted) {
    const Platform platform = ListForm(entry.platform);
    nlohmann::ordered_json item;
    item["mediaType"] = entry.media_type;
    item["size"] = entry.size;
    item["digest"] = entry.digest.ToString();
    item["platform"]["architecture"] = platform.arch;
    item["platform"]["os"] = platform.os;
    if (!platform.variant.empty()) item["platform"]["variant"] = platform.variant;
    if (!entry.annotations.empty()) item["annotations"] = entry.annotations;
    list["manifests"].push_back(std::move(item));
  }
  if (!annotations.empty()) list["annotations"] = annotations;
  std::string bytes = list.dump(3, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  Digest digest = Digest::Of(bytes);
  return WrittenManifest{std::move(bytes), std::move(digest), media_type};
}

}  // namespace manyarch::registry
