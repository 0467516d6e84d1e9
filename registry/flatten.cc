#include "registry/flatten.h"

#include <algorithm>
#include <optional>
#include <set>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::registry {

namespace {

constexpr int kMaxDepth = 4;
constexpr size_t kMaxEntries = 1000;

class Flattener {
 public:
  explicit Flattener(const ListReader& read) : read_(read) {}

  absl::Status Add(const ManifestList& list, int depth) {
    if (depth > kMaxDepth) {
      return absl::InvalidArgumentError(
          absl::StrCat("lists are nested more than ", kMaxDepth, " deep"));
    }
    for (const Descriptor& entry : list.manifests) {
      if (!seen_.emplace(entry.digest.ToString(), PlatformOf(entry)).second) continue;
      if (seen_.size() > kMaxEntries) {
        return absl::InvalidArgumentError(
            absl::StrCat("the list and those in it have more than ", kMaxEntries, " entries"));
      }
      switch (KindOf(entry)) {
        case EntryKind::kImage:
          flat_.images.push_back(entry);
          break;
        case EntryKind::kAttestation:
          flat_.attestations.push_back(entry);
          break;
        case EntryKind::kOther:
          flat_.others.push_back(entry);
          break;
        case EntryKind::kList: {
          MA_ASSIGN_OR_RETURN(const ManifestList inner, read_(entry));
          MA_RETURN_IF_ERROR(Add(inner, depth + 1));
          break;
        }
      }
    }
    return absl::OkStatus();
  }

  FlatList Take() {
    const auto has_image = [this](const Descriptor& attestation) {
      const std::optional<Digest> about = AttestedImage(attestation);
      return std::any_of(flat_.images.begin(), flat_.images.end(),
                         [&](const Descriptor& image) { return image.digest == about; });
    };
    auto& all = flat_.attestations;
    const auto orphans = std::stable_partition(all.begin(), all.end(), has_image);
    flat_.others.insert(flat_.others.end(), orphans, all.end());
    all.erase(orphans, all.end());
    return std::move(flat_);
  }

 private:
  static std::string PlatformOf(const Descriptor& entry) {
    return entry.platform ? ToString(*entry.platform) : "";
  }

  const ListReader& read_;
  FlatList flat_;
  std::set<std::pair<std::string, std::string>> seen_;
};

}  // namespace

EntryKind KindOf(const Descriptor& entry) {
  if (entry.media_type == kDockerList || entry.media_type == kOciIndex) return EntryKind::kList;
  if (IsAttestation(entry)) return EntryKind::kAttestation;
  if (!entry.artifact_type.empty()) return EntryKind::kOther;
  return EntryKind::kImage;
}

absl::StatusOr<FlatList> Flatten(const ManifestList& list, const ListReader& read) {
  Flattener flattener(read);
  MA_RETURN_IF_ERROR(flattener.Add(list, 1));
  return flattener.Take();
}

}  // namespace manyarch::registry
