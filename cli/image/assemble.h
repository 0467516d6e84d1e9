// Lists made of images that are there: what is to be written, and the writing.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "cli/image/sources.h"
#include "registry/client.h"
#include "registry/manifest.h"

namespace manyarch::cli::image {

// One image (or attestation) as it will stand in the list.
struct Part {
  Piece piece;
  registry::WrittenManifest written;  // The piece's own bytes, or rewritten for the list's format.
};

struct Assembly {
  std::vector<Part> parts;
  registry::WrittenManifest list;
  std::vector<std::string> notes;
};

// The list of the pieces, without asking anybody: the same bytes for the same pieces. Images of the
// other format are rewritten where nothing is lost by it. INVALID_ARGUMENT names the image and its
// source.
absl::StatusOr<Assembly> Assemble(Gathered gathered, registry::Format format);

struct WriteOptions {
  bool immutable = false;  // A tag that exists and points elsewhere is not moved.
  // What the (only) tag must still point to, in case somebody else wrote it meanwhile.
  std::optional<Digest> expected;
  // Of a blob that is copied from another registry: what it is and how far it got.
  std::function<void(const std::string& what, int64_t bytes, int64_t size)> on_progress;
};

// Brings what is missing into all of the tags' repositories, with the list by its digest; then
// writes the tags, in order: none moves before every repository has all it needs. Nothing is
// written where it is already; repeating it is free. ALREADY_EXISTS: a tag is there and may not be
// moved; nothing was written at all. ABORTED: the tag was moved meanwhile. Where a tag cannot be
// written the error names those that were.
absl::Status Write(registry::RegistryClient& client, const Assembly& assembly,
                   const std::vector<registry::Reference>& tags, const WriteOptions& options);

}  // namespace manyarch::cli::image
