#include "tests/bench/control_plane/process.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/logging.h"
#include "common/os/signals.h"
#include "controller/controller.h"
#include "tests/bench/control_plane/memory_registry.h"

namespace manyarch::bench {

absl::StatusOr<std::unique_ptr<ControllerProcess>> ControllerProcess::Start(
    const std::string& program, const std::string& parent, absl::Duration heartbeat) {
  MA_ASSIGN_OR_RETURN(TempDir dir, TempDir::Make("control-plane-", parent));
  Command command;
  command.argv = {program, "--serve", dir.path(), "--heartbeat",
                  absl::StrCat(absl::ToInt64Seconds(heartbeat))};
  StandardFds fds;
  fds.err = STDERR_FILENO;
  MA_ASSIGN_OR_RETURN(auto child, ChildProcess::Start(command, fds));
  std::unique_ptr<ControllerProcess> process(
      new ControllerProcess(std::move(dir), std::move(child)));
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (absl::Now() < deadline) {
    const auto port = ReadFile(process->dir_.path() + "/port");
    if (port.ok()) {
      process->address_ = absl::StrCat("127.0.0.1:", absl::StripSuffix(*port, "\n"));
      return process;
    }
    absl::SleepFor(absl::Milliseconds(10));
  }
  return absl::UnavailableError("the controller does not listen after 30 s; see above for why");
}

absl::Duration ControllerProcess::CpuTime() const {
  const auto stat = ReadFile(absl::StrCat("/proc/", child_->pid(), "/stat"));
  if (!stat.ok()) return absl::ZeroDuration();
  const std::vector<std::string> fields = absl::StrSplit(stat->substr(stat->rfind(')') + 2), ' ');
  int64_t user = 0;
  int64_t system = 0;
  if (!absl::SimpleAtoi(fields.at(11), &user) || !absl::SimpleAtoi(fields.at(12), &system))
    return {};
  return absl::Seconds(static_cast<double>(user + system) /
                       static_cast<double>(sysconf(_SC_CLK_TCK)));
}

int64_t ControllerProcess::ResidentBytes() const {
  const auto statm = ReadFile(absl::StrCat("/proc/", child_->pid(), "/statm"));
  if (!statm.ok()) return 0;
  const std::vector<std::string> fields = absl::StrSplit(*statm, ' ');
  int64_t pages = 0;
  return absl::SimpleAtoi(fields.at(1), &pages) ? pages * sysconf(_SC_PAGESIZE) : 0;
}

int Serve(const std::string& state_dir, absl::Duration heartbeat) {
  BlockSignals();
  if (!InitLogging("controller", "warn").ok()) return 2;
  controller::Options options;
  options.listen = "127.0.0.1:0";
  options.state_dir = state_dir + "/state";
  options.port_file = state_dir + "/port";
  options.heartbeat = heartbeat;
  options.suspect_after = 4 * heartbeat;
  options.lost_after = 12 * heartbeat;
  const auto controller =
      controller::Controller::Start(options, std::make_unique<MemoryRegistry>());
  if (!controller.ok()) {
    std::cerr << controller.status() << "\n";
    return 1;
  }
  SignalWaiter().Wait();
  (*controller)->Stop();
  return 0;
}

absl::Duration SyncTime(const std::string& dir) {
  const std::string path = dir + "/sync-time";
  const UniqueFd fd(open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
  const std::string page(4096, 'x');
  std::vector<absl::Duration> times;
  for (int i = 0; i < 200; ++i) {
    const absl::Time start = absl::Now();
    if (pwrite(fd.get(), page.data(), page.size(), off_t{i} * 4096) < 0 || fdatasync(fd.get()) != 0)
      break;
    times.push_back(absl::Now() - start);
  }
  unlink(path.c_str());
  if (times.empty()) return absl::ZeroDuration();
  std::nth_element(times.begin(), times.begin() + static_cast<long>(times.size() / 2), times.end());
  return times[times.size() / 2];
}

}  // namespace manyarch::bench
