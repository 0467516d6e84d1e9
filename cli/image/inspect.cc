#include "cli/image/inspect.h"

#include <variant>

#include "absl/strings/str_cat.h"
#include "cli/image/parallel.h"
#include "common/base/status_macros.h"

namespace manyarch::cli::image {

int64_t StoredSize(const registry::ImageManifest& image) {
  int64_t size = image.config.size;
  for (const registry::Descriptor& layer : image.layers) size += layer.size;
  return size;
}

absl::StatusOr<Inspection> Inspect(registry::RegistryClient& client,
                                   const registry::Reference& reference) {
  MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched, client.GetManifest(reference));
  Inspection out{reference, std::move(fetched), {}, std::nullopt};
  if (const auto* image = std::get_if<registry::ImageManifest>(&out.fetched.manifest)) {
    // An artifact's config need not be an image's.
    if (image->config.media_type != registry::kDockerConfig &&
        image->config.media_type != registry::kOciConfig) {
      return out;
    }
    const std::string what = absl::StrCat("inspecting ", reference.ToString());
    const auto config = client.GetBlob(reference, image->config);
    if (!config.ok()) return Annotate(config.status(), what);
    auto details = registry::ParseImageDetails(*config);
    if (!details.ok()) return Annotate(details.status(), what);
    out.details = *std::move(details);
    return out;
  }
  for (const registry::Descriptor& entry :
       std::get<registry::ManifestList>(out.fetched.manifest).manifests) {
    out.entries.push_back({entry, absl::OkStatus(), 0, registry::IsAttestation(entry),
                           registry::AttestedImage(entry)});
  }
  ForEachInParallel(out.entries.size(), [&](size_t i) {
    InspectedEntry& entry = out.entries[i];
    const auto child = client.GetManifest(reference.WithDigest(entry.descriptor.digest));
    if (!child.ok()) {
      entry.problem = child.status();
    } else if (const auto* image = std::get_if<registry::ImageManifest>(&child->manifest)) {
      entry.image_size = StoredSize(*image);
    }
    if (child.ok() && static_cast<int64_t>(child->bytes.size()) != entry.descriptor.size) {
      entry.problem = absl::FailedPreconditionError(
          absl::StrCat("the list says that the manifest of ", entry.descriptor.digest.ToString(),
                       " has ", entry.descriptor.size, " bytes, but it has ", child->bytes.size()));
    }
  });
  return out;
}

}  // namespace manyarch::cli::image
