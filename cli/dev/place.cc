#include "cli/dev/place.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "cli/render/words.h"
#include "common/os/files.h"
#include "common/os/spawn.h"

namespace manyarch::cli {

std::string DefaultStateDir() {
  if (geteuid() == 0) return "/var/lib/manyarch/dev";
  if (const char* data = getenv("XDG_DATA_HOME"); data != nullptr && *data == '/') {
    return absl::StrCat(data, "/manyarch/dev");
  }
  const char* home = getenv("HOME");
  return absl::StrCat(home != nullptr ? home : "/tmp", "/.local/share/manyarch/dev");
}

absl::StatusOr<std::string> FindSibling(const std::string& name) {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size());
  if (n > 0) {
    const std::string path(self.data(), static_cast<size_t>(n));
    const std::string beside = absl::StrCat(path.substr(0, path.rfind('/') + 1), name);
    if (access(beside.c_str(), X_OK) == 0) return beside;
  }
  auto found = FindProgram(name);
  if (found.ok()) return found;
  return absl::NotFoundError(
      absl::StrCat("cannot find ", name, ": it is neither beside this program nor on PATH"));
}

std::string HostName() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "dev";
}

std::string FileTail(const std::string& path, size_t lines) {
  const auto text = ReadFile(path);
  if (!text.ok()) return "";
  const std::vector<std::string> all = absl::StrSplit(*text, '\n', absl::SkipEmpty());
  std::string tail;
  for (size_t i = all.size() - std::min(lines, all.size()); i < all.size(); ++i) {
    absl::StrAppend(&tail, "  | ", SafeLine(all[i]), "\n");
  }
  return tail;
}

absl::Status LockDirectory(const std::string& directory) {
  const std::string path = absl::StrCat(directory, "/dev.lock");
  // Not closed: the lock goes with the process. Children do not inherit it.
  const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot write in ", directory, ": ", strerror(errno),
                     ". Name another directory with --state-dir."));
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    close(fd);
    return absl::FailedPreconditionError(
        absl::StrCat("another `manyarch dev` uses ", directory,
                     ": stop it first, or name another directory with --state-dir"));
  }
  return absl::OkStatus();
}

}  // namespace manyarch::cli
