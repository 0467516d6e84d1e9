#include "cli/context/hash_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/context/walk.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli {

namespace {

// A file open for reading.
class File {
 public:
  static absl::StatusOr<File> Open(const std::string& path) {
    // O_NONBLOCK: were it replaced by a pipe since it was listed, opening must not hang.
    const int fd = open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return Error(path, errno);
    return File(fd, path);
  }

  // Fills `buffer` from `offset` unless the file ends before.
  absl::StatusOr<size_t> Read(char* buffer, size_t size, int64_t offset) const {
    size_t done = 0;
    while (done < size) {
      const ssize_t n =
          pread(fd_.get(), buffer + done, size - done, offset + static_cast<int64_t>(done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Error(path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::StatusOr<FileStamp> Stamp() const {
    struct stat info {};
    if (fstat(fd_.get(), &info) != 0) return Error(path_, errno);
    return FileStamp::Of(info);
  }

 private:
  File(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  static absl::Status Error(const std::string& path, int error) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot read ", QuotedPath(path), " in the context: ", strerror(error),
                     ". Make it readable, or list it in .containerignore."));
  }

  UniqueFd fd_;
  std::string path_;
};

}  // namespace

FileStamp FileStamp::Of(const struct stat& info) {
  const auto nanoseconds = [](const timespec& t) {
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
  };
  return {
      info.st_dev, info.st_ino, info.st_size, nanoseconds(info.st_mtim), nanoseconds(info.st_ctim),
      info.st_mode};
}

void ContentHasher::Add(absl::string_view bytes) {
  if (!large_) {
    if (head_.size() + bytes.size() <= kWholeFileLimit) {
      head_.append(bytes.data(), bytes.size());
      return;
    }
    large_ = true;
    hash_ = std::make_unique<Sha256>();
    Cut(head_);
    head_.clear();
  }
  Cut(bytes);
}

void ContentHasher::Cut(absl::string_view bytes) {
  while (!bytes.empty()) {
    bool ended = false;
    const size_t n = chunker_.Scan(bytes, &ended);
    hash_->Update(bytes.substr(0, n));
    bytes.remove_prefix(n);
    content_.size += static_cast<int64_t>(n);
    if (!ended) continue;
    content_.chunks.push_back({hash_->Finish().ToString(), start_, content_.size - start_});
    hash_ = std::make_unique<Sha256>();
    start_ = content_.size;
  }
}

FileContent ContentHasher::Finish() {
  if (!large_) {
    content_.size = static_cast<int64_t>(head_.size());
    if (!head_.empty()) {
      content_.chunks.push_back({Digest::Of(head_).ToString(), 0, content_.size});
    }
  } else if (content_.size > start_) {
    content_.chunks.push_back({hash_->Finish().ToString(), start_, content_.size - start_});
  }
  return std::move(content_);
}

absl::StatusOr<HashedFile> HashFile(const std::string& path) {
  // File systems' clocks tick in milliseconds, or (FAT) every two seconds.
  constexpr int64_t kTick = 2'000'000'000;
  const int64_t now = absl::GetCurrentTimeNanos();
  MA_ASSIGN_OR_RETURN(const File file, File::Open(path));
  MA_ASSIGN_OR_RETURN(const FileStamp before, file.Stamp());
  constexpr size_t kBuffer = kWholeFileLimit;
  // A byte more tells that the file ends here without another read.
  const size_t size = std::min(kBuffer, static_cast<size_t>(std::max<int64_t>(0, before.size)) + 1);
  const auto buffer = std::make_unique<char[]>(size);
  ContentHasher hasher;
  HashedFile hashed;
  int64_t at = 0;
  for (size_t got = size; got == size; at += static_cast<int64_t>(got)) {
    MA_ASSIGN_OR_RETURN(got, file.Read(buffer.get(), size, at));
    hasher.Add(absl::string_view(buffer.get(), got));
  }
  hashed.content = hasher.Finish();
  MA_ASSIGN_OR_RETURN(hashed.stamp, file.Stamp());
  hashed.settled = hashed.stamp == before && hashed.content.size == before.size &&
                   std::max(before.mtime, before.ctime) < now - kTick;
  return hashed;
}

absl::StatusOr<std::string> ReadRange(const std::string& path, int64_t offset, int64_t size) {
  MA_ASSIGN_OR_RETURN(const File file, File::Open(path));
  std::string bytes(static_cast<size_t>(size), '\0');
  MA_ASSIGN_OR_RETURN(const size_t got, file.Read(bytes.data(), bytes.size(), offset));
  bytes.resize(got);
  return bytes;
}

}  // namespace manyarch::cli
