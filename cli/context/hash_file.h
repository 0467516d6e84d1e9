// Reading files of a context: digests of their chunks, and the chunks' bytes again.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace manyarch::cli {

struct Chunk {
  std::string digest;
  int64_t offset = 0;
  int64_t size = 0;
};

struct FileContent {
  int64_t size = 0;
  std::vector<Chunk> chunks;  // In order; none for an empty file.
};

absl::StatusOr<FileContent> HashFile(const std::string& path);

// Exactly `size` bytes from `offset`.
absl::StatusOr<std::string> ReadRange(const std::string& path, int64_t offset, int64_t size);

}  // namespace manyarch::cli
