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
#include "common/os/cgroups.h"
#include "common/os/files.h"
#include "worker/core/qemu.h"

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

// Of which a thread waits, by its status, for nothing but one fatal signal; 0: none.
int AwaitedSignal(absl::string_view thread_status) {
  if (!absl::StartsWith(Value(thread_status, "State"), "S")) return 0;
  uint64_t blocked = 0;
  if (!absl::SimpleHexAtoi(Value(thread_status, "SigBlk"), &blocked)) return 0;
  for (const int signal : kCrashes) {
    if ((blocked | kNeverBlocked) == ~Bit(signal)) return signal;
  }
  return 0;
}

bool IsFirstOfItsNamespace(absl::string_view process_status) {
  const std::vector<absl::string_view> pids = absl::StrSplit(Value(process_status, "NSpid"), '\t');
  return pids.size() > 1 && pids.back() == "1";
}

}  // namespace

int AwaitedCrash(const std::string& process) {
  const absl::StatusOr<std::string> status = ReadFile(process + "/status");
  if (!status.ok() || !IsFirstOfItsNamespace(*status)) return 0;
  std::error_code error;
  // Any thread of a program may be the one that crashes, while the first waits for something else.
  for (std::filesystem::directory_iterator it(process + "/task", error), end; !error && it != end;
       it.increment(error)) {
    const absl::StatusOr<std::string> thread = ReadFile(it->path() / "status");
    const int signal = thread.ok() ? AwaitedSignal(*thread) : 0;
    if (signal != 0) return signal;
  }
  return 0;
}

EmulatorWatch::EmulatorWatch(std::string cgroup, Watched watched, absl::Duration interval)
    : cgroup_(std::move(cgroup)), watched_(watched), thread_([this, interval] {
        while (!over_.WaitFor(interval)) Look();
      }) {}

EmulatorWatch::~EmulatorWatch() { Stop(); }

CrashedEmulator EmulatorWatch::Stop() {
  over_.Stop("");
  if (thread_.joinable()) thread_.join();
  return crashed_;
}

void EmulatorWatch::Look() {
  for (const pid_t pid : ProcessesInCgroup(cgroup_)) {
    // Opened before it is looked at: what is killed is what was looked at.
    const UniqueFd process(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
    if (!process.ok()) continue;
    CrashedEmulator crashed;
    crashed.signal = AwaitedCrash(absl::StrCat("/proc/", pid));
    if (crashed.signal == 0) continue;
    std::error_code gone;
    crashed.arch = EmulatedArch(
        std::filesystem::read_symlink(absl::StrCat("/proc/", pid, "/exe"), gone).string());
    if (crashed.arch.empty() && watched_ == Watched::kQemus) continue;
    if (syscall(SYS_pidfd_send_signal, process.get(), SIGKILL, nullptr, 0) == 0) {
      crashed_ = std::move(crashed);
    }
  }
}

}  // namespace manyarch::worker
