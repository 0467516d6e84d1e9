#include "common/os/beneath.h"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>

namespace manyarch {

UniqueFd OpenBeneath(int dir, const std::string& name, int flags, mode_t mode) {
  open_how how = {};
  how.flags = static_cast<unsigned>(flags | O_CLOEXEC);
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  UniqueFd fd(static_cast<int>(syscall(SYS_openat2, dir, name.c_str(), &how, sizeof how)));
  if (fd.ok() || errno != ENOSYS) return fd;
  if (name.find('/') != std::string::npos || name == ".." || (flags & O_PATH) != 0) {
    errno = ENOSYS;
    return fd;
  }
  return UniqueFd(openat(dir, name.c_str(), flags | O_NOFOLLOW | O_CLOEXEC, mode));
}

}  // namespace manyarch
