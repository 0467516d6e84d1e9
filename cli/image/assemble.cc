#include "cli/image/assemble.h"

#include <algorithm>
#include <set>
#include <string>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/convert.h"

namespace manyarch::cli::image {

namespace {

using registry::Reference;

absl::StatusOr<registry::WrittenManifest> InFormat(const Piece& piece, registry::Format format,
                                                   std::vector<std::string>& notes) {
  if (piece.attestation) {
    if (format == registry::Format::kDocker) {
      return absl::InvalidArgumentError(
          "a Docker manifest list cannot have attestations: add --format oci, or leave "
          "--keep-attestations out");
    }
    return registry::WrittenManifest{piece.fetched.bytes, piece.fetched.digest,
                                     piece.fetched.media_type};
  }
  auto written = registry::ConvertImage(piece.fetched.bytes, piece.fetched.media_type, format);
  if (!written.ok()) {
    return Annotate(written.status(), absl::StrCat("the image for ", ToString(piece.platform),
                                                   " (from ", piece.source, ")"));
  }
  if (written->digest != piece.fetched.digest) {
    notes.push_back(absl::StrCat("the manifest of ", piece.origin.ToString(),
                                 " is written anew as ", written->media_type,
                                 "; its digest becomes ", written->digest.ToString()));
  }
  return written;
}

// Images before attestations, in the order given: an image is there when something is said of it.
absl::Status BringImage(registry::RegistryClient& client, const Part& part,
                        const Reference& repository, const WriteOptions& options) {
  const Piece& piece = part.piece;
  const Reference target = repository.WithDigest(part.written.digest);
  const bool at_home = piece.origin.Repository() == repository.Repository();
  if (at_home && part.written.digest == piece.fetched.digest) return absl::OkStatus();
  MA_ASSIGN_OR_RETURN(const std::optional<Digest> present, client.HeadManifest(target));
  if (present == part.written.digest) return absl::OkStatus();
  if (!at_home) {
    const auto& image = std::get<registry::ImageManifest>(piece.fetched.manifest);
    const std::vector<registry::Descriptor> blobs = registry::BlobsToCopy(image);
    for (size_t i = 0; i < blobs.size(); ++i) {
      registry::BlobProgress on_progress;
      if (options.on_progress) {
        const std::string what =
            absl::StrCat(ToString(piece.platform), " blob ", i + 1, " of ", blobs.size(), " (",
                         blobs[i].digest.ToString().substr(0, 19), "…)");
        on_progress = [&options, what, size = blobs[i].size](int64_t bytes) {
          options.on_progress(what, bytes, size);
        };
      }
      MA_RETURN_IF_ERROR(client.CopyBlob(piece.origin, blobs[i], repository, on_progress));
    }
  }
  return client.PutManifest(target, part.written.bytes, part.written.media_type);
}

// All that a tag of the repository needs: images, attestations, the list by its digest.
absl::Status Fill(registry::RegistryClient& client, const Assembly& assembly,
                  const Reference& repository, const WriteOptions& options) {
  for (const Part& part : assembly.parts) {
    MA_RETURN_IF_ERROR(BringImage(client, part, repository, options));
  }
  const Reference list = repository.WithDigest(assembly.list.digest);
  MA_ASSIGN_OR_RETURN(const std::optional<Digest> present, client.HeadManifest(list));
  if (present == assembly.list.digest) return absl::OkStatus();
  return client.PutManifest(list, assembly.list.bytes, assembly.list.media_type);
}

absl::Status WriteTag(registry::RegistryClient& client, const Reference& tag,
                      const registry::WrittenManifest& list, const WriteOptions& options) {
  MA_ASSIGN_OR_RETURN(std::optional<Digest> present, client.HeadManifest(tag));
  if (present == list.digest) return absl::OkStatus();
  if (options.immutable && present) {
    return absl::AlreadyExistsError(
        absl::StrCat(tag.ToString(), " was written meanwhile and points to ", present->ToString()));
  }
  if (options.expected && present != options.expected) {
    return absl::AbortedError(absl::StrCat(
        tag.ToString(), " was written by somebody else meanwhile and points to ",
        present ? present->ToString() : "nothing", ": look at it and run the command again"));
  }
  MA_RETURN_IF_ERROR(client.PutManifest(tag, list.bytes, list.media_type));
  MA_ASSIGN_OR_RETURN(present, client.HeadManifest(tag));
  if (present == list.digest) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      tag.ToString(), " was written, but points to ", present ? present->ToString() : "nothing",
      ": somebody else writes it too, or the registry does not keep what it takes"));
}

// Before anything is written.
absl::Status CheckImmutable(registry::RegistryClient& client, const std::vector<Reference>& tags,
                            const Digest& digest) {
  for (const Reference& tag : tags) {
    MA_ASSIGN_OR_RETURN(const std::optional<Digest> present, client.HeadManifest(tag));
    if (!present || *present == digest) continue;
    return absl::AlreadyExistsError(absl::StrCat(
        tag.ToString(), " exists and points to ", present->ToString(),
        ", and --immutable does not move it; the list would have been ", digest.ToString()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Assembly> Assemble(Gathered gathered, registry::Format format) {
  Assembly out{{}, {"", Digest::Of(""), ""}, std::move(gathered.notes)};
  std::vector<registry::ListEntry> entries;
  for (Piece& piece : gathered.pieces) {
    MA_ASSIGN_OR_RETURN(registry::WrittenManifest written, InFormat(piece, format, out.notes));
    entries.push_back({written.media_type, written.digest,
                       static_cast<int64_t>(written.bytes.size()), piece.platform,
                       piece.annotations});
    out.parts.push_back({std::move(piece), std::move(written)});
  }
  // An attestation is of an image's bytes: of others it would say what is not so.
  for (const Part& part : out.parts) {
    const bool is_said_of = std::any_of(out.parts.begin(), out.parts.end(), [&](const Part& other) {
      return other.piece.attestation && other.piece.about == part.piece.fetched.digest;
    });
    if (is_said_of && part.written.digest != part.piece.fetched.digest) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the image for ", ToString(part.piece.platform), " (from ", part.piece.source,
          ") has to be written anew in the list's format, and its attestation would not be about "
          "it: leave --keep-attestations out"));
    }
  }
  MA_ASSIGN_OR_RETURN(out.list, registry::BuildManifestList(entries, format));
  return out;
}

absl::Status Write(registry::RegistryClient& client, const Assembly& assembly,
                   const std::vector<Reference>& tags, const WriteOptions& options) {
  if (options.immutable) {
    MA_RETURN_IF_ERROR(CheckImmutable(client, tags, assembly.list.digest));
  }
  std::set<std::string> filled;
  for (const Reference& tag : tags) {
    if (!filled.insert(tag.Repository()).second) continue;
    MA_RETURN_IF_ERROR(Fill(client, assembly, tag, options));
  }
  std::string written;
  for (const Reference& tag : tags) {
    const absl::Status status = WriteTag(client, tag, assembly.list, options);
    if (!status.ok()) {
      return absl::Status(status.code(), absl::StrCat(status.message(), written));
    }
    absl::StrAppend(&written, written.empty() ? "; already written: " : ", ", tag.ToString());
  }
  return absl::OkStatus();
}

}  // namespace manyarch::cli::image
