#include "cli/context/temporary_dirs.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

constexpr char kPrefix[] = "manyarch-context-";
constexpr int kTries = 20;  // At removing what others still write to.
// A directory is there for a moment before it is locked.
constexpr absl::Duration kYoung = absl::Minutes(1);

UniqueFd Lock(const std::string& path) {
  UniqueFd fd(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (fd.get() >= 0 && flock(fd.get(), LOCK_EX | LOCK_NB) == 0) return fd;
  return UniqueFd();
}

void RemoveStale() {
  std::error_code error;
  for (std::filesystem::directory_iterator it(TempRoot(), error), end; !error && it != end;
       it.increment(error)) {
    struct stat info = {};
    const std::string path = it->path().string();
    if (!absl::StartsWith(it->path().filename().string(), kPrefix) ||
        lstat(path.c_str(), &info) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid() ||
        absl::Now() - absl::TimeFromTimespec(info.st_mtim) < kYoung) {
      continue;
    }
    // Somebody's as long as it is locked.
    const UniqueFd lock = Lock(path);
    if (lock.get() >= 0) static_cast<void>(RemoveTree(path).ok());
  }
}

}  // namespace

absl::StatusOr<std::string> TemporaryDirs::Make() {
  // Not under the lock: what is to be removed may be large, and an end must not wait for it.
  RemoveStale();
  absl::MutexLock lock(&mutex_);
  if (over_) return absl::CancelledError("the command is over");
  MA_ASSIGN_OR_RETURN(TempDir dir, TempDir::Make(kPrefix));
  std::string path = dir.Keep();
  dirs_.push_back({path, Lock(path)});
  return path;
}

void TemporaryDirs::RemoveAll() {
  absl::MutexLock lock(&mutex_);
  over_ = true;
  for (const Dir& dir : dirs_) {
    for (int i = 0; i < kTries && !RemoveTree(dir.path).ok(); ++i) {
      absl::SleepFor(absl::Milliseconds(10));
    }
  }
  dirs_.clear();
}

}  // namespace manyarch::cli
