// Files and directories. Every error names the path.
#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// A file descriptor that closes itself. Movable, not copyable.
class UniqueFd {
 public:
  UniqueFd() = default;
  explicit UniqueFd(int fd) : fd_(fd) {}
  ~UniqueFd() { reset(); }
  UniqueFd(UniqueFd&& other) noexcept : fd_(other.release()) {}
  UniqueFd& operator=(UniqueFd&& other) noexcept {
    reset(other.release());
    return *this;
  }

  int get() const { return fd_; }
  bool ok() const { return fd_ >= 0; }
  int release() {
    const int fd = fd_;
    fd_ = -1;
    return fd;
  }
  void reset(int fd = -1);

 private:
  int fd_ = -1;
};

// The whole file. NOT_FOUND where there is none.
absl::StatusOr<std::string> ReadFile(const std::string& path);

// Writes all of `bytes`, over interruptions and short writes.
absl::Status WriteAll(int fd, absl::string_view bytes);

// Readers see the old file or the new one, never a part, also after a power cut: temporary file
// beside it, fsync, rename, fsync of the directory. The file has exactly `mode`.
absl::Status WriteFileAtomic(const std::string& path, absl::string_view bytes, mode_t mode = 0644);

// As mkdir -p; existing directories keep their mode.
absl::Status MakeDirs(const std::string& path, mode_t mode = 0755);

// As rm -rf: follows no symbolic link; a missing path is fine.
absl::Status RemoveTree(const std::string& path);

bool PathExists(const std::string& path);

// The directory for temporary files: $TMPDIR, else /tmp.
std::string TempRoot();

// A new directory (0700) that is removed with all in it when the object goes. Movable.
class TempDir {
 public:
  // Under `parent`; TempRoot() where empty. The name starts with `prefix`.
  static absl::StatusOr<TempDir> Make(absl::string_view prefix = "manyarch-",
                                      const std::string& parent = "");
  ~TempDir();
  TempDir(TempDir&& other) noexcept : path_(std::move(other.path_)) { other.path_.clear(); }
  TempDir& operator=(TempDir&& other) noexcept;

  const std::string& path() const { return path_; }
  // Leaves the directory where it is.
  std::string Keep();

 private:
  explicit TempDir(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

}  // namespace manyarch
