// Which files of a directory belong to a build context.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/ignore.h"

namespace manyarch::cli {

// A file, directory or symbolic link of the context.
struct Node {
  enum class Kind { kFile, kDirectory, kSymlink };
  Kind kind = Kind::kFile;
  std::string name;            // One component, any bytes but '/' and NUL; empty for the root.
  uint32_t mode = 0;           // Permission bits (07777).
  std::string target;          // Of a symbolic link, as it is on disk.
  std::vector<Node> children;  // Of a directory, sorted bytewise by name.
};

// What a build reads, and where its parts are. Paths are relative to `directory`.
struct ContextPlace {
  std::string directory;      // Absolute, with links resolved.
  std::string containerfile;  // As given or found; inside the directory.
  // These belong to the context even where the rules ignore them.
  std::vector<std::string> always;
  IgnoreRules rules;
};

// Finds the directory, the Containerfile (`file`, relative to the working directory or, failing
// that, to the context; empty: Containerfile, then Dockerfile) and the ignore file.
// INVALID_ARGUMENT, with the path named, when one is missing, unreadable or outside the context.
absl::StatusOr<ContextPlace> LocateContext(absl::string_view context, absl::string_view file);

// The context's tree. Refuses what cannot be read and what is neither file, directory nor link.
absl::StatusOr<Node> WalkContext(const ContextPlace& place);

// A path for people: quoted, with control characters and bad UTF-8 escaped.
std::string QuotedPath(absl::string_view path);

}  // namespace manyarch::cli
