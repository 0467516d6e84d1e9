// Images from one repository to another.
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/publish/image_publisher.h"
#include "registry/convert.h"
#include "registry/manifest.h"

namespace manyarch::controller::publish {

absl::Status ImagePublisher::CopyImage(const core::Image& image, const std::string& to,
                                       const CopyProgress& on_progress) {
  const std::string what =
      absl::StrCat("copying ", image.digest, " from ", image.repository, " to ", to);
  const auto from = registry::ParseRepository(image.repository);
  const auto target = registry::ParseRepository(to);
  const auto digest = Digest::Parse(image.digest);
  for (const absl::Status& status : {from.status(), target.status(), digest.status()}) {
    if (!status.ok()) return Annotate(status, what);
  }
  const auto present = client_->HeadManifest(target->WithDigest(*digest));
  if (!present.ok()) return Annotate(present.status(), what);
  if (*present == *digest) return absl::OkStatus();

  const auto fetched = FetchOnce(from->WithDigest(*digest));
  if (!fetched.ok()) return Annotate(fetched.status(), what);
  const auto* manifest = std::get_if<registry::ImageManifest>(&fetched->manifest);
  if (manifest == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(what, ": it is a list of images"));
  }
  const std::vector<registry::Descriptor> blobs = registry::BlobsToCopy(*manifest);
  int64_t total = 0;
  for (const registry::Descriptor& blob : blobs) total += blob.size;
  int64_t done = 0;
  for (const registry::Descriptor& blob : blobs) {
    const auto progress = [&](int64_t bytes) {
      if (on_progress) on_progress(done + bytes, total);
    };
    const absl::Status copied = client_->CopyBlob(*from, blob, *target, progress);
    if (!copied.ok()) return Annotate(copied, what);
    done += blob.size;
    if (on_progress) on_progress(done, total);
  }
  return Annotate(
      client_->PutManifest(target->WithDigest(*digest), fetched->bytes, fetched->media_type), what);
}

std::vector<std::string> RepositoriesOf(const std::vector<core::TagRef>& tags) {
  std::vector<std::string> repositories;
  std::set<std::string> seen;
  for (const core::TagRef& tag : tags) {
    if (seen.insert(tag.repository).second) repositories.push_back(tag.repository);
  }
  return repositories;
}

registry::Format FormatOf(core::ImageFormat format) {
  return format == core::ImageFormat::kOci ? registry::Format::kOci : registry::Format::kDocker;
}

absl::StatusOr<std::vector<core::ListEntry>> ImagesOf(const core::PublishIntent& intent,
                                                      const std::string& repository) {
  MA_ASSIGN_OR_RETURN(const registry::Manifest manifest,
                      registry::ParseManifest(intent.list, intent.media_type));
  const auto* list = std::get_if<registry::ManifestList>(&manifest);
  if (list == nullptr) return absl::InvalidArgumentError("the recorded list is no list");
  std::vector<core::ListEntry> images;
  for (const registry::Descriptor& entry : list->manifests) {
    images.push_back({entry.platform.value_or(Platform{}),
                      {repository, entry.digest.ToString(), entry.size, entry.media_type}});
  }
  return images;
}

}  // namespace manyarch::controller::publish
