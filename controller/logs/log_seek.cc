// Where to start reading a log.
#include <algorithm>

#include "common/base/status_macros.h"
#include "controller/logs/log_store.h"
#include "controller/logs/time_index.h"

namespace manyarch::controller {

namespace {

constexpr int64_t kBlock = int64_t{64} * 1024;

}  // namespace

// From the end, block by block, until as many newlines are passed as the lines before.
absl::StatusOr<int64_t> LogStore::OffsetOfTail(const std::string& attempt_id, int64_t lines) {
  int64_t end = Size(attempt_id);
  if (lines <= 0) return end;
  int64_t newlines = 0;
  bool at_end = true;
  while (end > 0) {
    const int64_t start = std::max<int64_t>(0, end - kBlock);
    MA_ASSIGN_OR_RETURN(const std::string block,
                        Read(attempt_id, start, static_cast<size_t>(end - start)));
    for (size_t i = block.size(); i > 0; --i) {
      // The newline at the very end closes the last line and begins none.
      const bool last = at_end;
      at_end = false;
      if (block[i - 1] != '\n' || last) continue;
      if (++newlines == lines) return start + static_cast<int64_t>(i);
    }
    end = start;
  }
  return 0;
}

absl::StatusOr<int64_t> LogStore::OffsetSince(const std::string& attempt_id, absl::Time since) {
  MA_ASSIGN_OR_RETURN(const std::string path, PathOf(attempt_id));
  const int64_t offset = TimeIndex(TimesOf(path)).OffsetSince(since, Size(attempt_id));
  // A piece may begin in the middle of a line: that line is shown whole.
  const int64_t start = std::max<int64_t>(0, offset - kBlock);
  MA_ASSIGN_OR_RETURN(const std::string before,
                      Read(attempt_id, start, static_cast<size_t>(offset - start)));
  const size_t newline = before.rfind('\n');
  if (newline != std::string::npos) return start + static_cast<int64_t>(newline) + 1;
  return start == 0 ? 0 : offset;
}

}  // namespace manyarch::controller
