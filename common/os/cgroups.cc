#include "common/os/cgroups.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <functional>
#include <system_error>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
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

std::vector<fs::path> Hierarchies() {
  constexpr char kRoot[] = "/sys/fs/cgroup";
  if (PathExists(std::string(kRoot) + "/cgroup.controllers")) return {kRoot};
  // With v1, and with v1 and v2 side by side, each hierarchy is mounted below.
  return DirectoriesIn(kRoot);
}

absl::Status RemoveThose(const std::function<bool(const std::string& name)>& wanted) {
  const absl::Time deadline = absl::Now() + absl::Seconds(1);
  absl::Status result;
  for (const fs::path& hierarchy : Hierarchies()) {
    for (const fs::path& dir : DirectoriesIn(hierarchy)) {
      if (wanted(dir.filename().string())) {
        result.Update(RemoveOne(dir, deadline));
      }
    }
  }
  return result;
}

void AddProcesses(const fs::path& dir, std::set<pid_t>& processes) {
  // A group that goes, and a v2 one that lists threads only, cannot be read.
  const absl::StatusOr<std::string> text = ReadFile(dir / "cgroup.procs");
  for (absl::string_view line : absl::StrSplit(text.ok() ? *text : "", '\n')) {
    pid_t pid = 0;  // What the kernel says of a process of another namespace.
    if (absl::SimpleAtoi(line, &pid) && pid > 0) processes.insert(pid);
  }
  for (const fs::path& child : DirectoriesIn(dir)) AddProcesses(child, processes);
}

}  // namespace

absl::Status RemoveCgroup(const std::string& name) {
  return RemoveThose([&](const std::string& found) { return found == name; });
}

absl::Status RemoveCgroupsNamed(const std::string& prefix) {
  return RemoveThose([&](const std::string& found) { return absl::StartsWith(found, prefix); });
}

std::set<pid_t> ProcessesInCgroup(const std::string& name) {
  std::set<pid_t> result;
  for (const fs::path& hierarchy : Hierarchies()) {
    if (PathExists(hierarchy / name)) AddProcesses(hierarchy / name, result);
  }
  return result;
}

}  // namespace manyarch
