#include "cli/image/append.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::cli::image {

namespace {

// Whatever the format of their manifests.
bool IsSameImage(const Piece& a, const Piece& b) {
  const auto& one = std::get<registry::ImageManifest>(a.fetched.manifest);
  const auto& other = std::get<registry::ImageManifest>(b.fetched.manifest);
  return one.config.digest == other.config.digest &&
         std::equal(one.layers.begin(), one.layers.end(), other.layers.begin(), other.layers.end(),
                    [](const registry::Descriptor& x, const registry::Descriptor& y) {
                      return x.digest == y.digest;
                    });
}

}  // namespace

absl::StatusOr<ExistingList> ReadList(registry::RegistryClient& client,
                                      const registry::Reference& list, bool keep_attestations) {
  const auto fetched = client.GetManifest(list);
  if (absl::IsNotFound(fetched.status())) {
    return absl::NotFoundError(
        absl::StrCat(fetched.status().message(), "; `manyarch image create` makes a new list"));
  }
  MA_RETURN_IF_ERROR(fetched.status());
  if (!std::holds_alternative<registry::ManifestList>(fetched->manifest)) {
    return absl::InvalidArgumentError(
        absl::StrCat(list.ToString(), " is a single image and no list: `manyarch image create -t ",
                     list.ToString(), " ", list.ToString(), " SOURCE…` makes one of it"));
  }
  // By its digest: the tag may move while its images are read.
  MA_ASSIGN_OR_RETURN(
      Gathered gathered,
      Gather(client, {{list.ToString(), std::nullopt, list.WithDigest(fetched->digest)}},
             keep_attestations));
  return ExistingList{std::move(gathered), fetched->digest,
                      fetched->media_type == registry::kOciIndex ? registry::Format::kOci
                                                                 : registry::Format::kDocker};
}

absl::StatusOr<Gathered> Merge(Gathered list, Gathered added, bool replace) {
  std::vector<Piece>& pieces = list.pieces;
  for (Piece& piece : added.pieces) {
    const auto old = std::find_if(pieces.begin(), pieces.end(), [&](const Piece& there) {
      if (there.attestation || piece.attestation) {
        return there.attestation == piece.attestation &&
               there.fetched.digest == piece.fetched.digest;
      }
      return ListForm(there.platform) == ListForm(piece.platform);
    });
    if (old == pieces.end()) {
      pieces.push_back(std::move(piece));
      continue;
    }
    if (piece.attestation || IsSameImage(*old, piece)) continue;
    if (!replace) {
      return absl::AlreadyExistsError(
          absl::StrCat("the list has an image for ", ToString(piece.platform), " already, ",
                       old->fetched.digest.ToString(), "; --replace puts ", piece.origin.ToString(),
                       " in its place"));
    }
    const Digest gone = old->fetched.digest;
    *old = std::move(piece);
    pieces.erase(std::remove_if(pieces.begin(), pieces.end(),
                                [&](const Piece& there) { return there.about == gone; }),
                 pieces.end());
  }
  list.notes.insert(list.notes.end(), added.notes.begin(), added.notes.end());
  return list;
}

}  // namespace manyarch::cli::image
