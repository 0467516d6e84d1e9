#include "common/os/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace manyarch {

namespace {

constexpr int kMostTries = 100;

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

}  // namespace

UniqueFd OpenBeneath(int dir, const std::string& name, int flags, mode_t mode) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd;
  // EAGAIN: something was renamed or mounted somewhere while ".." was looked up.
  for (int tries = 0; tries < kMostTries && !fd.ok(); ++tries) {
    fd = UniqueFd(static_cast<int>(syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how)));
    if (!fd.ok() && errno != EAGAIN) break;
  }
  // EPERM is what seccomp profiles older than openat2 answer, too.
  if (fd.ok() || (errno != ENOSYS && errno != EPERM)) return fd;
  return OpenSingle(dir, name, flags, mode);
}

}  // namespace manyarch
