// A context that comes as a tar archive.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/walk.h"

namespace manyarch::cli {

// Against archives that are made to fill the disk.
struct ArchiveLimits {
  int64_t max_entries = kMostEntries;
  int64_t max_bytes = int64_t{1} << 40;
  int max_depth = kDeepestTree;
  // Above `ratio_from` bytes, the contents may be at most `max_ratio` times as large as what was
  // read.
  int64_t ratio_from = int64_t{1} << 30;
  int64_t max_ratio = 1000;
};

// Whether these first bytes (512 are enough) are those of a tar archive, plain or compressed.
bool LooksLikeArchive(absl::string_view head);

// Reads a tar archive (plain, gzip, bzip2, xz or zstd) from `fd` to its end, after `head`, which
// was read from it before. Files' bytes go to the new file `spool`; nothing else is made on disk,
// so names in the archive lead nowhere. Hard links become copies. INVALID_ARGUMENT names the entry:
// absolute and ".." paths, names that come twice, devices, pipes, sockets, sparse files, hard links
// to what the archive does not have, entries below what is no directory, and more than `limits`.
absl::StatusOr<Node> ReadArchive(int fd, absl::string_view head, const std::string& spool,
                                 const ArchiveLimits& limits = {});

}  // namespace manyarch::cli
