// What a list is assembled from: images, alone or in lists, read and checked.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/platform.h"
#include "registry/client.h"
#include "registry/manifest.h"
#include "registry/reference.h"

namespace manyarch::cli::image {

// "[PLATFORM=]REFERENCE". With a platform: of a list the one image for it; a single image is put
// into the new list under it.
struct Source {
  std::string text;  // As given; for messages.
  std::optional<Platform> platform;
  registry::Reference reference;
};
absl::StatusOr<Source> ParseSource(absl::string_view text);

// An image, or an attestation, that a source has.
struct Piece {
  std::string source;                 // Whose; for messages.
  registry::Reference origin;         // By digest.
  registry::FetchedManifest fetched;  // Always an image's.
  Platform platform;                  // In the new list.
  bool attestation = false;
  registry::Annotations annotations;  // Of an attestation's entry.
  std::optional<Digest> about;        // Of an attestation: the image.
};

struct Gathered {
  std::vector<Piece> pieces;       // In the order of the sources; an image stands here once.
  std::vector<std::string> notes;  // What a person should know: sentences.
};

// Reads all sources, lists and lists in lists entry by entry. The config of each image is read and
// must be of the platform that the source or the list says: INVALID_ARGUMENT names what it says
// itself. A variant that differs is a note. Attestations are left out, with a note, unless
// `keep_attestations`.
absl::StatusOr<Gathered> Gather(registry::RegistryClient& client,
                                const std::vector<Source>& sources, bool keep_attestations);

}  // namespace manyarch::cli::image
