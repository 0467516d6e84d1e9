// What the entries of lists are, and lists inside lists made one list. Pure.
#pragma once

#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "registry/manifest.h"

namespace manyarch::registry {

enum class EntryKind { kImage, kList, kAttestation, kOther };

// kOther: signatures, charts, whatever says that it is no image by an artifactType. An entry of an
// OCI index that has no platform is an image until its config is read.
EntryKind KindOf(const Descriptor& entry);

// The entries of a list and of all lists in it, in their order; nothing stands here twice. Images
// keep the platform that the list gives them (absent where it gives none).
struct FlatList {
  std::vector<Descriptor> images;
  std::vector<Descriptor> attestations;  // Those that are about one of the images.
  std::vector<Descriptor> others;        // Attestations of what is not here, too.
};

// Reads the list that an entry names.
using ListReader = std::function<absl::StatusOr<ManifestList>(const Descriptor& entry)>;

// `read` is called for each list inside; not at all where there are none. Refuses lists nested more
// than 4 deep and more than 1,000 entries in all. `read`'s errors are passed on.
absl::StatusOr<FlatList> Flatten(const ManifestList& list, const ListReader& read);

}  // namespace manyarch::registry
