// What a registry has under a name.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "registry/client.h"
#include "registry/image_details.h"
#include "registry/manifest.h"
#include "registry/reference.h"

namespace manyarch::cli::image {

// One entry of a list, looked at.
struct InspectedEntry {
  registry::Descriptor descriptor;
  absl::Status problem;    // Not OK: the registry has no sound manifest for it.
  int64_t image_size = 0;  // Of config and layers, as they are stored.
  bool attestation = false;
  std::optional<Digest> about;  // Of an attestation: the image.
};

struct Inspection {
  registry::Reference reference;
  registry::FetchedManifest fetched;
  std::vector<InspectedEntry> entries;            // Of a list.
  std::optional<registry::ImageDetails> details;  // Of a single image.
};

// Reads the manifest, and those of a list's entries or the config of a single image. An entry that
// is not there does not fail it.
absl::StatusOr<Inspection> Inspect(registry::RegistryClient& client,
                                   const registry::Reference& reference);

// Config and layers.
int64_t StoredSize(const registry::ImageManifest& image);

// For people.
std::string InspectionText(const Inspection& inspection);
// The same with all that was read, for programs. Members are added, never renamed or dropped.
std::string InspectionJson(const Inspection& inspection);

// "529 B", "25.3 MiB"
std::string SizeText(int64_t bytes);

}  // namespace manyarch::cli::image
