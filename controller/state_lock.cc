#include "controller/state_lock.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"

namespace manyarch::controller {

absl::StatusOr<UniqueFd> LockStateDir(const std::string& state_dir) {
  const std::string path = absl::StrCat(state_dir, "/lock");
  UniqueFd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!lock.ok()) {
    return absl::UnavailableError(absl::StrCat("cannot open ", path, ": ", std::strerror(errno)));
  }
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("another manyarch-controller uses ", state_dir,
                     "; stop it, or give this one a --state-dir of its own"));
  }
  return lock;
}

}  // namespace manyarch::controller
