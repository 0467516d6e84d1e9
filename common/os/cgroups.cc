#include "common/os/cgroups.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/files.h"

namespace manyarch {

namespace {

namespace fs = std::filesystem;

std::vector<fs::path> DirectoriesIn(const fs::path& dir) {
  std::vector<fs::path> result;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && !it->is_symlink(gone)) result.push_back(it->path());
  }
  return result;
}

absl::Status RemoveOne(const fs::path& dir, absl::Time deadline) {
  for (const fs::path& child : DirectoriesIn(dir)) {
    if (absl::Status status = RemoveOne(child, deadline); !status.ok()) return status;
  }
  while (rmdir(dir.c_str()) != 0 && errno != ENOENT) {
    if (errno != EBUSY || absl::Now() > deadline) {
      return absl::ErrnoToStatus(errno, absl::StrCat("removing the cgroup ", dir.string()));
    }
    absl::SleepFor(absl::Milliseconds(5));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status RemoveCgroups(const std::string& path) {
  constexpr char kRoot[] = "/sys/fs/cgroup";
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  std::vector<fs::path> hierarchies = {kRoot};
  // With v1, and with v1 and v2 side by side, each hierarchy is mounted below.
  if (!PathExists(std::string(kRoot) + "/cgroup.controllers")) hierarchies = DirectoriesIn(kRoot);
  absl::Status result;
  for (const fs::path& hierarchy : hierarchies) {
    const fs::path dir = hierarchy.string() + path;
    if (PathExists(dir.string())) result.Update(RemoveOne(dir, deadline));
  }
  return result;
}

}  // namespace manyarch
