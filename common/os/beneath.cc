#include "common/os/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <utility>

namespace manyarch {

namespace {

constexpr int kMostTries = 100;

// openat2(2), also where something is renamed or mounted somewhere while ".." is looked up
// (EAGAIN).
UniqueFd Openat2(int dir, const std::string& name, int flags, mode_t mode, uint64_t resolve) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = resolve;
  UniqueFd fd;
  for (int tries = 0; tries < kMostTries && !fd.ok(); ++tries) {
    fd = UniqueFd(static_cast<int>(syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how)));
    if (!fd.ok() && errno != EAGAIN) break;
  }
  return fd;
}

// Of a failed openat2. EPERM is what seccomp profiles older than it answer.
bool IsLacking() { return errno == ENOSYS || errno == EPERM; }

// Without openat2, whose errno is in place.
UniqueFd OpenSingle(int dir, const std::string& name, int flags, mode_t mode) {
  const int error = errno;
  const auto refuse = [&]() -> UniqueFd {
    errno = error;
    return UniqueFd();
  };
  if (name.find('/') != std::string::npos || name == "..") return refuse();
  UniqueFd fd(openat(dir, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
  if ((flags & O_NOFOLLOW) != 0) return fd;
  if (!fd.ok()) return errno == ELOOP ? refuse() : std::move(fd);
  // With O_PATH, links are opened themselves.
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0 || S_ISLNK(info.st_mode)) return refuse();
  return fd;
}

// The same as with RESOLVE_NO_SYMLINKS: no part is a link, so none but ".." can lead out.
UniqueFd OpenPartByPart(int dir, const std::string& name, int flags) {
  UniqueFd above;
  size_t begin = 0;
  while (true) {
    const size_t end = name.find('/', begin);
    const std::string part = name.substr(begin, end - begin);
    if (part == ".." || (part.empty() && begin == 0)) {
      errno = name.empty() ? ENOENT : EXDEV;
      return UniqueFd();
    }
    const int from = above.ok() ? above.get() : dir;
    if (end == std::string::npos) {
      return UniqueFd(openat(from, part.c_str(), flags | O_NOFOLLOW | O_CLOEXEC));
    }
    UniqueFd next(openat(from, part.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!next.ok()) return next;
    above = std::move(next);
    begin = end + 1;
  }
}

}  // namespace

UniqueFd OpenBeneath(int dir, const std::string& name, int flags, mode_t mode) {
  UniqueFd fd = Openat2(dir, name, flags, mode, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS);
  return fd.ok() || !IsLacking() ? std::move(fd) : OpenSingle(dir, name, flags, mode);
}

UniqueFd OpenWithoutLinks(int dir, const std::string& name, int flags) {
  flags |= O_NOFOLLOW;
  UniqueFd fd =
      Openat2(dir, name, flags, 0, RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  return fd.ok() || !IsLacking() ? std::move(fd) : OpenPartByPart(dir, name, flags);
}

}  // namespace manyarch
