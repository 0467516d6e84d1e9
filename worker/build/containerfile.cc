#include "worker/build/containerfile.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstring>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/beneath.h"

namespace manyarch::worker {

namespace {

bool IsThere(int dir, const std::string& name) {
  struct stat info = {};
  return fstatat(dir, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
}

std::string Named(absl::string_view kind, absl::string_view name) {
  return absl::StrCat("the ", kind, " '", absl::CHexEscape(name), "'");
}

absl::Status Refused(const std::string& what, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(what, " ", why));
}

// OpenBeneath could not open it. INVALID_ARGUMENT where that is the context's doing.
absl::Status NotOpened(const std::string& what, int error) {
  switch (error) {
    case EXDEV:
      return Refused(what, "leads out of the context");
    case ENOENT:
    case ENOTDIR:
      return Refused(what, "is not in the context");
    case ELOOP:
    case ENAMETOOLONG:
    case EACCES:
      return Refused(what, absl::StrCat("cannot be opened: ", std::strerror(error)));
    case ENOSYS:
    case EPERM:
      return absl::FailedPreconditionError(
          absl::StrCat("opening ", what,
                       ": this kernel or its container's seccomp profile lacks openat2(2); Linux "
                       "5.6 or newer is needed"));
    default:
      return absl::InternalError(absl::StrCat("opening ", what, ": ", std::strerror(error)));
  }
}

absl::Status CheckIgnoreFiles(int dir, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!IsThere(dir, name)) continue;
    const UniqueFd file = OpenBeneath(dir, name, O_PATH);
    // A link that leads nowhere shows nobody anything.
    if (file.ok() || errno == ENOENT || errno == ENOTDIR || errno == ELOOP) continue;
    const int error = errno;
    return NotOpened(Named("ignore file", name), error);
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckIgnoreFiles(const std::string& context) {
  UniqueFd dir(open(context.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", context));
  return CheckIgnoreFiles(dir.get(), {".containerignore", ".dockerignore"});
}

absl::StatusOr<std::string> FindContainerfile(const std::string& context, const std::string& name) {
  UniqueFd dir(open(context.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!dir.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", context));
  std::string chosen = name;
  if (chosen.empty()) {
    chosen = IsThere(dir.get(), "Containerfile") ? "Containerfile" : "Dockerfile";
    if (!IsThere(dir.get(), chosen)) {
      return absl::InvalidArgumentError(
          "the context has neither a Containerfile nor a Dockerfile: add one, or name it with "
          "--file");
    }
  }
  UniqueFd fd = OpenBeneath(dir.get(), chosen, O_PATH);
  const int error = errno;
  const std::string what = Named("Containerfile", chosen);
  if (!fd.ok()) return NotOpened(what, error);
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode)) return Refused(what, "is not a file");
  if (absl::EndsWith(chosen, ".in")) {
    return Refused(what,
                   "ends in .in: buildah would run it through the C preprocessor on the worker, "
                   "which is not supported");
  }
  MA_RETURN_IF_ERROR(
      CheckIgnoreFiles(dir.get(), {".containerignore", ".dockerignore", chosen + ".containerignore",
                                   chosen + ".dockerignore"}));
  char path[PATH_MAX];
  const ssize_t n = readlink(absl::StrCat("/proc/self/fd/", fd.get()).c_str(), path, sizeof path);
  if (n <= 0) return absl::ErrnoToStatus(errno, "finding the path of the Containerfile");
  return std::string(path, static_cast<size_t>(n));
}

}  // namespace manyarch::worker
