#include "worker/link/log_spool.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"

namespace manyarch::worker::link {

absl::StatusOr<std::shared_ptr<LogSpool>> LogSpool::Open(const std::string& path, int64_t limit) {
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  struct stat info {};
  if (!fd.ok() || fstat(fd.get(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("opening the log spool ", path));
  }
  return std::shared_ptr<LogSpool>(new LogSpool(std::move(fd), info.st_size, limit));
}

void LogSpool::Append(absl::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  if (dropped_ > 0) {
    // Half of the room must be free again, so that a log under pressure has few gaps, not many.
    if (size_ - acked_ > limit_ / 2) {
      dropped_ += static_cast<int64_t>(bytes.size());
      return;
    }
    WriteGapMarker();
  }
  const int64_t room = std::max<int64_t>(0, limit_ - (size_ - acked_));
  const absl::string_view kept = bytes.substr(0, static_cast<size_t>(room));
  const bool written = dropped_ == 0 && Write(kept);
  dropped_ += static_cast<int64_t>(written ? bytes.size() - kept.size() : bytes.size());
}

bool LogSpool::Write(absl::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = pwrite(fd_.get(), bytes.data() + done, bytes.size() - done,
                             size_ + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;  // What was written of it is overwritten by what comes next.
    done += static_cast<size_t>(n);
  }
  size_ += static_cast<int64_t>(bytes.size());
  return true;
}

void LogSpool::WriteGapMarker() {
  const std::string marker = absl::StrCat("\n[manyarch: ", dropped_,
                                          " bytes of output are missing here: the worker could "
                                          "not keep them]\n");
  if (Write(marker)) dropped_ = 0;
}

int64_t LogSpool::Seal() {
  absl::MutexLock lock(&mutex_);
  if (dropped_ > 0) WriteGapMarker();
  // A part of a failed write may lie behind the end.
  if (ftruncate(fd_.get(), size_) != 0 || fdatasync(fd_.get()) != 0) return size_;
  return size_;
}

int64_t LogSpool::size() const {
  absl::MutexLock lock(&mutex_);
  return size_;
}

absl::StatusOr<std::string> LogSpool::ReadAt(int64_t offset, int64_t max) const {
  int64_t end;
  {
    absl::MutexLock lock(&mutex_);
    end = size_;
  }
  std::string out(static_cast<size_t>(std::clamp<int64_t>(end - offset, 0, max)), '\0');
  size_t done = 0;
  while (done < out.size()) {
    const ssize_t n =
        pread(fd_.get(), out.data() + done, out.size() - done, offset + static_cast<int64_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return absl::ErrnoToStatus(errno, "reading the log spool");
    if (n == 0) return absl::DataLossError("reading the log spool: the file is too short");
    done += static_cast<size_t>(n);
  }
  return out;
}

void LogSpool::Acked(int64_t offset) {
  absl::MutexLock lock(&mutex_);
  offset = std::min(offset, size_);
  if (offset <= acked_) return;
  acked_ = offset;
  // Best effort: a file system without holes keeps the bytes until the attempt is forgotten.
  fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, acked_);
}

}  // namespace manyarch::worker::link
