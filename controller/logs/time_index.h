// When the bytes of a log arrived, to the second.
#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace manyarch::controller {

// A file of pairs beside a log: a second, and the offset of the first byte that arrived in it. What
// a crash loses of it costs precision, never bytes of the log; so it is not synced. The file is
// open only while it is used. Not thread-safe.
class TimeIndex {
 public:
  explicit TimeIndex(std::string path) : path_(std::move(path)) {}

  // Bytes from `offset` on, which is the log's size until now, arrive at `now`.
  void Note(absl::Time now, int64_t offset);

  // Where that begins which arrived in the second of `since` or later: `size`, the log's, where
  // nothing has; 0 where nobody has kept times.
  int64_t OffsetSince(absl::Time since, int64_t size) const;

 private:
  void Load(int64_t size);

  const std::string path_;
  bool loaded_ = false;
  int64_t entries_ = 0;
  int64_t last_second_ = INT64_MIN;
};

}  // namespace manyarch::controller
