#include "controller/logs/time_index.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/files.h"

namespace manyarch::controller {

namespace {

struct Entry {
  int64_t second = 0;
  int64_t offset = 0;
};

bool ReadEntry(int fd, int64_t number, Entry* entry) {
  const auto size = static_cast<ssize_t>(sizeof(Entry));
  return ::pread(fd, entry, sizeof(Entry), number * size) == size;
}

int64_t CountEntries(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? info.st_size / static_cast<int64_t>(sizeof(Entry)) : 0;
}

}  // namespace

// Entries beyond the log's end are of bytes that a crash has taken.
void TimeIndex::Load(int64_t size) {
  loaded_ = true;
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return;
  Entry entry;
  for (entries_ = CountEntries(fd.get()); entries_ > 0; --entries_) {
    if (!ReadEntry(fd.get(), entries_ - 1, &entry)) continue;
    if (entry.offset >= size) continue;
    last_second_ = entry.second;
    return;
  }
}

void TimeIndex::Note(absl::Time now, int64_t offset) {
  if (!loaded_) Load(offset);
  const Entry entry{absl::ToUnixSeconds(now), offset};
  if (entry.second <= last_second_) return;
  const UniqueFd fd(::open(path_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.ok()) return;
  const auto size = static_cast<ssize_t>(sizeof(Entry));
  if (::pwrite(fd.get(), &entry, sizeof(Entry), entries_ * size) != size) return;
  ++entries_;
  last_second_ = entry.second;
}

int64_t TimeIndex::OffsetSince(absl::Time since, int64_t size) const {
  const UniqueFd fd(::open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.ok()) return 0;
  int64_t first = 0;
  int64_t end = CountEntries(fd.get());
  if (end == 0) return 0;
  int64_t found = size;
  while (first < end) {
    const int64_t middle = first + (end - first) / 2;
    Entry entry;
    if (!ReadEntry(fd.get(), middle, &entry)) return 0;
    if (entry.second >= absl::ToUnixSeconds(since)) {
      found = entry.offset;
      end = middle;
    } else {
      first = middle + 1;
    }
  }
  return found < size ? found : size;
}

}  // namespace manyarch::controller
