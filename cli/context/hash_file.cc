#include "cli/context/hash_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/context/chunker.h"
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

absl::StatusOr<FileContent> HashFile(const std::string& path) {
  MA_ASSIGN_OR_RETURN(const File file, File::Open(path));
  // One byte more than the limit tells whether the file is longer.
  constexpr size_t kBuffer = kWholeFileLimit + 1;
  const auto buffer = std::make_unique<char[]>(kBuffer);
  FileContent content;
  MA_ASSIGN_OR_RETURN(size_t got, file.Read(buffer.get(), kBuffer, 0));
  content.size = static_cast<int64_t>(got);
  if (got == 0) return content;
  if (got <= kWholeFileLimit) {
    content.chunks.push_back(
        {Digest::Of(absl::string_view(buffer.get(), got)).ToString(), 0, content.size});
    return content;
  }
  Chunker chunker;
  auto hash = std::make_unique<Sha256>();
  int64_t start = 0;
  int64_t at = 0;
  while (got > 0) {
    absl::string_view data(buffer.get(), got);
    while (!data.empty()) {
      bool ended = false;
      const size_t n = chunker.Scan(data, &ended);
      hash->Update(data.substr(0, n));
      data.remove_prefix(n);
      at += static_cast<int64_t>(n);
      if (ended) {
        content.chunks.push_back({hash->Finish().ToString(), start, at - start});
        hash = std::make_unique<Sha256>();
        start = at;
      }
    }
    MA_ASSIGN_OR_RETURN(got, file.Read(buffer.get(), kBuffer, at));
  }
  if (at > start) content.chunks.push_back({hash->Finish().ToString(), start, at - start});
  content.size = at;
  return content;
}

absl::StatusOr<std::string> ReadRange(const std::string& path, int64_t offset, int64_t size) {
  MA_ASSIGN_OR_RETURN(const File file, File::Open(path));
  std::string bytes(static_cast<size_t>(size), '\0');
  MA_ASSIGN_OR_RETURN(const size_t got, file.Read(bytes.data(), bytes.size(), offset));
  bytes.resize(got);
  return bytes;
}

}  // namespace manyarch::cli
