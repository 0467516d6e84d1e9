#include "worker/build/emulator_watch.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

// What a mask never blocks: the kernel forbids the first two, and glibc keeps the others for
// itself.
constexpr uint64_t kNeverBlocked = Bit(SIGKILL) | Bit(SIGSTOP) | Bit(32) | Bit(33);

constexpr int kCrashes[] = {SIGQUIT, SIGILL,  SIGTRAP, SIGABRT, SIGBUS,
                            SIGFPE,  SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS};

// Of "name:\tvalue" lines.
absl::string_view Value(absl::string_view text, absl::string_view name) {
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    if (absl::ConsumePrefix(&line, name) && absl::ConsumePrefix(&line, ":\t")) return line;
  }
  return "";
}

bool InCgroup(const std::string& process, const std::string& cgroup) {
  const absl::StatusOr<std::string> groups = ReadFile(process + "/cgroup");
  return groups.ok() && (absl::StrContains(*groups, absl::StrCat(cgroup, "\n")) ||
                         absl::StrContains(*groups, absl::StrCat(cgroup, "/")));
}

}  // namespace

int AwaitedCrash(absl::string_view proc_status) {
  const std::vector<absl::string_view> pids = absl::StrSplit(Value(proc_status, "NSpid"), '\t');
  if (pids.size() < 2 || pids.back() != "1") return 0;
  if (!absl::StartsWith(Value(proc_status, "State"), "S")) return 0;
  uint64_t blocked = 0;
  if (!absl::SimpleHexAtoi(Value(proc_status, "SigBlk"), &blocked)) return 0;
  for (const int signal : kCrashes) {
    if ((blocked | kNeverBlocked) == ~Bit(signal)) return signal;
  }
  return 0;
}

EmulatorWatch::EmulatorWatch(std::string cgroup, absl::Duration interval)
    : cgroup_(std::move(cgroup)), thread_([this, interval] {
        while (!over_.WaitFor(interval)) Look();
      }) {}

EmulatorWatch::~EmulatorWatch() {
  over_.Stop("");
  thread_.join();
}

void EmulatorWatch::Look() {
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
       it.increment(error)) {
    int pid = 0;
    if (!absl::SimpleAtoi(it->path().filename().string(), &pid)) continue;
    // Opened before it is looked at: what is killed is what was looked at.
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!process.ok()) continue;
    const absl::StatusOr<std::string> status = ReadFile(it->path().string() + "/status");
    if (!status.ok()) continue;
    const int signal = AwaitedCrash(*status);
    if (signal == 0 || !InCgroup(it->path().string(), cgroup_)) continue;
    if (syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0) signal_ = signal;
  }
}

}  // namespace manyarch::worker
