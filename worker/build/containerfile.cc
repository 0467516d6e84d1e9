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

absl::Status Refused(absl::string_view name, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the Containerfile '", absl::CHexEscape(name), "' ", why));
}

absl::Status CheckIgnoreFiles(int dir, const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    if (!IsThere(dir, name)) continue;
    if (const UniqueFd file = OpenBeneath(dir, name, O_PATH); !file.ok() && errno == EXDEV) {
      return absl::InvalidArgumentError(
          absl::StrCat("the ignore file '", absl::CHexEscape(name), "' leads out of the context"));
    }
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
  if (!fd.ok()) {
    if (errno == EXDEV) return Refused(chosen, "leads out of the context");
    if (errno == ENOENT || errno == ENOTDIR) return Refused(chosen, "is not in the context");
    return Refused(chosen, absl::StrCat("cannot be opened: ", std::strerror(errno)));
  }
  struct stat info = {};
  if (fstat(fd.get(), &info) != 0 || !S_ISREG(info.st_mode))
    return Refused(chosen, "is not a file");
  if (absl::EndsWith(chosen, ".in")) {
    return Refused(chosen,
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
