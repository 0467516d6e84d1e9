// Content-defined chunks: a rolling hash over the bytes decides where a chunk ends, so an edit
// moves only the borders near it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace manyarch::cli {

inline constexpr size_t kWholeFileLimit = size_t{1} << 20;  // Up to this a file is one chunk.
inline constexpr size_t kMinChunk = size_t{256} << 10;
inline constexpr size_t kAverageChunk = size_t{1} << 20;
inline constexpr size_t kMaxChunk = size_t{4} << 20;

// Finds the chunk borders of one stream of bytes. The borders depend on the bytes alone: never on
// how they are cut into pieces, nor on the machine. Not thread-safe.
class Chunker {
 public:
  // Reads from `data` until a chunk ends or the data does. Returns how many bytes belong to the
  // present chunk; `*ended` says whether the chunk ends after them. Call again with what follows.
  size_t Scan(absl::string_view data, bool* ended);

 private:
  size_t length_ = 0;  // Of the present chunk so far.
  uint64_t hash_ = 0;
};

}  // namespace manyarch::cli
