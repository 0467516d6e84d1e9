#include "controller/publish/list.h"

#include "controller/publish/image_publisher.h"
#include "registry/manifest.h"

namespace manyarch::controller::publish {

core::PublishIntent BuildList(const std::vector<core::ListEntry>& entries,
                              core::ImageFormat format) {
  std::vector<registry::ListEntry> children;
  for (const core::ListEntry& entry : entries) {
    auto digest = Digest::Parse(entry.image.digest);
    if (!digest.ok()) return {};
    children.push_back(
        {entry.image.media_type, *std::move(digest), entry.image.size, entry.platform});
  }
  auto list = registry::BuildManifestList(children, FormatOf(format));
  if (!list.ok()) return {};
  return {std::move(list->bytes), list->digest.ToString(), std::move(list->media_type)};
}

}  // namespace manyarch::controller::publish
