// Reading files of a context: digests of their chunks, and the chunks' bytes again.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/chunker.h"
#include "common/base/digest.h"

namespace manyarch::cli {

struct Chunk {
  std::string digest;
  int64_t offset = 0;
  int64_t size = 0;

  friend bool operator==(const Chunk&, const Chunk&) = default;
};

struct FileContent {
  int64_t size = 0;
  std::vector<Chunk> chunks;  // In order; none for an empty file.

  friend bool operator==(const FileContent&, const FileContent&) = default;
};

// Which file this is and in which state, without reading it. Times are nanoseconds since 1970.
struct FileStamp {
  uint64_t device = 0;
  uint64_t inode = 0;
  int64_t size = 0;
  int64_t mtime = 0;
  int64_t ctime = 0;
  uint32_t mode = 0;

  static FileStamp Of(const struct stat& info);
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

// The chunks of a file whose bytes come piece by piece. Not thread-safe.
class ContentHasher {
 public:
  void Add(absl::string_view bytes);
  // To be called once, after the last byte.
  FileContent Finish();

 private:
  void Cut(absl::string_view bytes);

  FileContent content_;
  std::string head_;  // While the whole may yet be one chunk.
  bool large_ = false;
  Chunker chunker_;
  std::unique_ptr<Sha256> hash_;
  int64_t start_ = 0;  // Of the present chunk.
};

struct HashedFile {
  FileContent content;
  FileStamp stamp;
  // Whether a later change of the file is sure to change its stamp. Not so where it was changed
  // just before it was read: a second change may fall into the same tick of the file system's
  // clock.
  bool settled = false;
};

absl::StatusOr<HashedFile> HashFile(const std::string& path);

// Exactly `size` bytes from `offset`.
absl::StatusOr<std::string> ReadRange(const std::string& path, int64_t offset, int64_t size);

}  // namespace manyarch::cli
