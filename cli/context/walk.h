// Which files of a directory belong to a build context.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/hash_file.h"
#include "cli/context/ignore.h"

namespace manyarch::cli {

// Bytes of a file that are kept elsewhere: those of an archive's files in one spool file.
struct StoredContent {
  std::string file;  // Absolute path.
  int64_t offset = 0;
  FileContent content;
};

// A file, directory or symbolic link of the context.
struct Node {
  enum class Kind { kFile, kDirectory, kSymlink };
  Kind kind = Kind::kFile;
  std::string name;    // One component, any bytes but '/' and NUL; empty for the root.
  uint32_t mode = 0;   // Permission bits (07777).
  std::string target;  // Of a symbolic link, as it is on disk.
  FileStamp stamp;     // Of a file in the file system.
  std::shared_ptr<const StoredContent> stored;  // Of a file that is not at its path.
  std::vector<Node> children;                   // Of a directory, sorted bytewise by name.
};

// What no context may exceed, whatever the controller allows: beyond it, the wrong directory was
// named.
inline constexpr int64_t kMostEntries = 5'000'000;
inline constexpr int kDeepestTree = 200;

// The largest Containerfile that can be sent beside its context, in bytes.
inline constexpr size_t kLargestContainerfile = size_t{1} << 20;

// What a build reads, and where its parts are.
struct ContextPlace {
  std::string directory;      // Absolute, with links resolved.
  std::string containerfile;  // Path below the directory; empty: the text is sent beside it.
  std::string containerfile_text;
  IgnoreRules rules;
};

// Whose files these are: the user's own, or somebody else's (a clone), where nothing may lead out.
enum class Origin { kOwn, kForeign };

// Finds the directory, the Containerfile and the ignore file. `file` is the Containerfile's path
// from the working directory or, failing that (always, where the origin is foreign), from the
// context; empty: Containerfile, then Dockerfile. A Containerfile that is not a plain file of the
// context, or that the rules ignore, is sent beside it. Rules are those of
// <Containerfile>.containerignore, else <Containerfile>.dockerignore, else the context's
// .containerignore, else its .dockerignore. INVALID_ARGUMENT, with the path named, when one is
// missing or unreadable.
absl::StatusOr<ContextPlace> LocateContext(absl::string_view context, absl::string_view file,
                                           Origin origin = Origin::kOwn);

// The same for a directory whose Containerfile, if any, is elsewhere.
absl::StatusOr<ContextPlace> LocateDirectory(absl::string_view directory);

// INVALID_ARGUMENT where it has no instruction at all, or is too large to be sent beside a context.
absl::Status CheckContainerfileText(absl::string_view text, absl::string_view name);

// The context's tree. Refuses what cannot be read and what is neither file, directory nor link.
absl::StatusOr<Node> WalkContext(const ContextPlace& place);

// Takes out what the rules ignore.
void LeaveOutIgnored(const IgnoreRules& rules, Node& root);

// A path for people: quoted, with control characters and bad UTF-8 escaped.
std::string QuotedPath(absl::string_view path);

}  // namespace manyarch::cli
