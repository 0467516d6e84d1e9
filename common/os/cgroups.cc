#include "common/os/cgroups.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
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

absl::Status RemoveThose(const std::function<bool(const std::string& name)>& wanted) {
  constexpr char kRoot[] = "/sys/fs/cgroup";
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  std::vector<fs::path> hierarchies = {kRoot};
  // With v1, and with v1 and v2 side by side, each hierarchy is mounted below.
  if (!PathExists(std::string(kRoot) + "/cgroup.controllers")) hierarchies = DirectoriesIn(kRoot);
  absl::Status result;
  for (const fs::path& hierarchy : hierarchies) {
    for (const fs::path& dir : DirectoriesIn(hierarchy)) {
      if (wanted(dir.filename().string())) {
        result.Update(RemoveOne(dir, deadline));
      }
    }
  }
  return result;
}

}  // namespace

absl::Status RemoveCgroup(const std::string& name) {
  return RemoveThose([&](const std::string& found) { return found == name; });
}

absl::Status RemoveCgroupsNamed(const std::string& prefix) {
  return RemoveThose([&](const std::string& found) { return absl::StartsWith(found, prefix); });
}

}  // namespace manyarch
