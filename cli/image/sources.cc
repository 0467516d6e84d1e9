#include "cli/image/sources.h"

#include <set>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/image/parallel.h"
#include "common/base/status_macros.h"
#include "registry/flatten.h"

namespace manyarch::cli::image {

namespace {

using registry::Descriptor;
using registry::Reference;

absl::StatusOr<registry::ImageConfig> ReadConfig(registry::RegistryClient& client,
                                                 const Reference& image,
                                                 const registry::FetchedManifest& fetched) {
  const auto& manifest = std::get<registry::ImageManifest>(fetched.manifest);
  const std::string what = absl::StrCat("reading the config of ", image.ToString());
  if (manifest.config.media_type != registry::kDockerConfig &&
      manifest.config.media_type != registry::kOciConfig) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": it is of type '", manifest.config.media_type,
                     "': this is no image but an artifact, which has no place in a list"));
  }
  MA_ASSIGN_OR_RETURN(const std::string bytes, client.GetBlob(image, manifest.config));
  auto config = registry::ParseImageConfig(bytes);
  if (!config.ok()) return Annotate(config.status(), what);
  return config;
}

// The image as a piece of the new list. `wanted` is what the source or the list says that it is
// for.
absl::StatusOr<Piece> CheckImage(registry::RegistryClient& client, const Source& source,
                                 registry::FetchedManifest fetched,
                                 const std::optional<Platform>& wanted, absl::string_view who_says,
                                 std::vector<std::string>& notes) {
  const Reference image = source.reference.WithDigest(fetched.digest);
  MA_ASSIGN_OR_RETURN(const registry::ImageConfig config, ReadConfig(client, image, fetched));
  Piece piece{source.text, image, std::move(fetched), config.platform, false, {}, std::nullopt};
  if (!wanted) return piece;
  piece.platform = *wanted;
  switch (Compare(*wanted, config.platform)) {
    case PlatformMatch::kExact:
      break;
    case PlatformMatch::kVariantDiffers:
      notes.push_back(absl::StrCat("the config of ", image.ToString(), " says ", config.spelled,
                                   "; the list will say ", ToString(*wanted), ", as ", who_says,
                                   " does"));
      break;
    case PlatformMatch::kDifferent:
      return absl::InvalidArgumentError(
          absl::StrCat("the image ", image.ToString(), " is not for ", ToString(*wanted), " as ",
                       who_says, " says: its own config says ", config.spelled,
                       "; name it as what it is, or build it for ", ToString(*wanted)));
  }
  return piece;
}

std::string PlatformsOf(const std::vector<Descriptor>& images) {
  std::vector<std::string> names;
  for (const Descriptor& image : images) {
    names.push_back(image.platform ? ToString(*image.platform) : "one that names no platform");
  }
  return absl::StrJoin(names, ", ");
}

// The one image of a list for the platform: the very one, else the only one whose variant differs.
absl::StatusOr<Descriptor> Choose(const Source& source, const std::vector<Descriptor>& images) {
  for (const PlatformMatch match : {PlatformMatch::kExact, PlatformMatch::kVariantDiffers}) {
    std::vector<Descriptor> fitting;
    for (const Descriptor& image : images) {
      if (image.platform && Compare(*source.platform, *image.platform) == match) {
        fitting.push_back(image);
      }
    }
    if (fitting.size() == 1) return fitting.front();
    if (fitting.size() > 1) break;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(source.reference.ToString(), " is a list without one certain image for ",
                   ToString(*source.platform), ": it has ", PlatformsOf(images),
                   "; name the image by its digest, as `manyarch image inspect` shows it"));
}

absl::StatusOr<registry::FlatList> FlattenSource(registry::RegistryClient& client,
                                                 const Source& source,
                                                 const registry::ManifestList& list) {
  auto flat = registry::Flatten(
      list, [&](const Descriptor& entry) -> absl::StatusOr<registry::ManifestList> {
        MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched,
                            client.GetManifest(source.reference.WithDigest(entry.digest)));
        const auto* inner = std::get_if<registry::ManifestList>(&fetched.manifest);
        if (inner == nullptr) {
          return absl::FailedPreconditionError(
              absl::StrCat("the entry ", entry.digest.ToString(),
                           " is an image, where the list says that it is a list"));
        }
        return *inner;
      });
  if (!flat.ok()) return Annotate(flat.status(), "reading " + source.reference.ToString());
  return flat;
}

// One image of a list.
absl::StatusOr<Gathered> CheckEntry(registry::RegistryClient& client, const Source& source,
                                    const Descriptor& entry) {
  MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched,
                      client.GetManifest(source.reference.WithDigest(entry.digest)));
  if (!std::holds_alternative<registry::ImageManifest>(fetched.manifest)) {
    return absl::FailedPreconditionError(absl::StrCat(source.reference.ToString(), " names ",
                                                      entry.digest.ToString(),
                                                      " as an image, but it is a list"));
  }
  const bool chosen = source.platform.has_value();
  Gathered out;
  MA_ASSIGN_OR_RETURN(
      Piece piece,
      CheckImage(client, source, std::move(fetched), chosen ? source.platform : entry.platform,
                 chosen ? source.text : "the list " + source.reference.ToString(), out.notes));
  out.pieces.push_back(std::move(piece));
  return out;
}

void MoveInto(Gathered& all, Gathered one) {
  for (Piece& piece : one.pieces) all.pieces.push_back(std::move(piece));
  all.notes.insert(all.notes.end(), one.notes.begin(), one.notes.end());
}

absl::StatusOr<Gathered> GatherList(registry::RegistryClient& client, const Source& source,
                                    const registry::ManifestList& list, bool keep_attestations) {
  MA_ASSIGN_OR_RETURN(registry::FlatList flat, FlattenSource(client, source, list));
  Gathered out;
  const std::string name = source.reference.ToString();
  if (flat.images.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("there is no image in the list ", name));
  }
  if (source.platform) {
    MA_ASSIGN_OR_RETURN(Descriptor chosen, Choose(source, flat.images));
    flat.images = {std::move(chosen)};
  }
  for (const Descriptor& entry : flat.images) {
    if (entry.os_version.empty()) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        "the image ", entry.digest.ToString(), " in ", name, " is for ", ToString(*entry.platform),
        " of version ", entry.os_version,
        ", and manyarch writes no versions: choose other images, e.g. linux/amd64=", name));
  }
  std::vector<absl::StatusOr<Gathered>> checked(flat.images.size());
  ForEachInParallel(flat.images.size(),
                    [&](size_t i) { checked[i] = CheckEntry(client, source, flat.images[i]); });
  std::set<std::string> taken;
  for (absl::StatusOr<Gathered>& one : checked) {
    MA_RETURN_IF_ERROR(one.status());
    taken.insert(one->pieces.front().fetched.digest.ToString());
    MoveInto(out, *std::move(one));
  }
  size_t left_out = flat.others.size();
  for (const Descriptor& entry : flat.attestations) {
    const std::optional<Digest> about = registry::AttestedImage(entry);
    if (!about || !taken.contains(about->ToString())) continue;  // Its image was not chosen.
    if (!keep_attestations) {
      ++left_out;
      continue;
    }
    const Reference reference = source.reference.WithDigest(entry.digest);
    MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched, client.GetManifest(reference));
    out.pieces.push_back({source.text, reference, std::move(fetched),
                          entry.platform.value_or(Platform{"unknown", "unknown", ""}), true,
                          entry.annotations, about});
  }
  if (left_out > 0) {
    out.notes.push_back(
        absl::StrCat(left_out, left_out == 1 ? " entry of " : " entries of ", name,
                     left_out == 1 ? " is no image and is" : " are no images and are", " left out",
                     keep_attestations ? "" : " (attestations stay with --keep-attestations)"));
  }
  return out;
}

absl::StatusOr<Gathered> GatherOne(registry::RegistryClient& client, const Source& source,
                                   bool keep_attestations) {
  MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched, client.GetManifest(source.reference));
  if (const auto* list = std::get_if<registry::ManifestList>(&fetched.manifest)) {
    // A copy: the list's own bytes are not needed.
    const registry::ManifestList entries = *list;
    return GatherList(client, source, entries, keep_attestations);
  }
  Gathered out;
  MA_ASSIGN_OR_RETURN(Piece piece, CheckImage(client, source, std::move(fetched), source.platform,
                                              source.text, out.notes));
  out.pieces.push_back(std::move(piece));
  return out;
}

std::string NameOf(const Piece& piece) {
  std::string name = piece.origin.ToString();
  if (name != piece.source) absl::StrAppend(&name, " (from ", piece.source, ")");
  return name;
}

}  // namespace

absl::StatusOr<Source> ParseSource(absl::string_view text) {
  Source source;
  source.text = std::string(text);
  absl::string_view reference = text;
  // No reference has a '='.
  if (const size_t equals = text.find('='); equals != absl::string_view::npos) {
    const auto platform = ParsePlatform(text.substr(0, equals));
    if (!platform.ok()) {
      return Annotate(platform.status(), absl::StrCat("the source '", text, "'"));
    }
    source.platform = *platform;
    reference = text.substr(equals + 1);
  }
  auto parsed = registry::ParseReference(reference);
  if (!parsed.ok()) return Annotate(parsed.status(), absl::StrCat("the source '", text, "'"));
  source.reference = *std::move(parsed);
  return source;
}

absl::StatusOr<Gathered> Gather(registry::RegistryClient& client,
                                const std::vector<Source>& sources, bool keep_attestations) {
  std::vector<absl::StatusOr<Gathered>> found(sources.size());
  ForEachInParallel(sources.size(),
                    [&](size_t i) { found[i] = GatherOne(client, sources[i], keep_attestations); });
  Gathered all;
  for (absl::StatusOr<Gathered>& one : found) {
    MA_RETURN_IF_ERROR(one.status());
    for (Piece& piece : one->pieces) {
      const Piece* other = nullptr;
      for (const Piece& before : all.pieces) {
        const bool same_kind = before.attestation == piece.attestation;
        const bool same_bytes = before.fetched.digest == piece.fetched.digest;
        const bool clash =
            piece.attestation ? same_bytes : ListForm(before.platform) == ListForm(piece.platform);
        if (same_kind && clash) other = &before;
      }
      if (other == nullptr) {
        all.pieces.push_back(std::move(piece));
      } else if (other->fetched.digest != piece.fetched.digest) {
        return absl::InvalidArgumentError(absl::StrCat("two images for ", ToString(piece.platform),
                                                       ": ", NameOf(*other), " and ", NameOf(piece),
                                                       "; name one of them"));
      }
    }
    all.notes.insert(all.notes.end(), one->notes.begin(), one->notes.end());
  }
  return all;
}

}  // namespace manyarch::cli::image
