// A list that is there, and what is put into it.
#pragma once

#include "absl/status/statusor.h"
#include "cli/image/sources.h"
#include "registry/client.h"
#include "registry/manifest.h"
#include "registry/reference.h"

namespace manyarch::cli::image {

struct ExistingList {
  Gathered gathered;
  Digest digest;            // Of the list as it was read.
  registry::Format format;  // Its own.
};

// INVALID_ARGUMENT: it is a single image.
absl::StatusOr<ExistingList> ReadList(registry::RegistryClient& client,
                                      const registry::Reference& list, bool keep_attestations);

// The list with the added images. One that it has already, be it in the other format, changes
// nothing. One for a platform that the list has another image for needs
// `replace`; it takes the old one's place, whose attestations go too.
absl::StatusOr<Gathered> Merge(Gathered list, Gathered added, bool replace);

}  // namespace manyarch::cli::image
