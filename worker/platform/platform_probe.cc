#include "worker/platform/platform_probe.h"

#include <sys/personality.h>
#include <sys/utsname.h>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {

namespace {

// Not a code that a shell, a loader or an emulator gives when it fails.
constexpr uint8_t kProof = 42;

// What is missing and what to do, from the error of running the program.
std::string Reason(const Platform& platform, absl::string_view error) {
  std::string reason = absl::StrCat("running a ", ToString(platform), " program: ", error);
  if (absl::StrContains(error, "Exec format error")) {
    absl::StrAppend(
        &reason,
        "; to build for it here, install the packages qemu-user-static and binfmt-support, and see "
        "that /proc/sys/fs/binfmt_misc is mounted");
  } else if (absl::StrContains(error, "No such file")) {
    absl::StrAppend(&reason,
                    "; its emulator cannot be reached from inside a build root: the binfmt_misc "
                    "handler must have "
                    "the flag F, which the package qemu-user-static sets");
  }
  return reason;
}

// Empty when the program ran, else what went wrong.
std::string RunIn(const std::string& root) {
  Command command;
  command.argv = {"/program"};
  command.chroot = root;
  command.env = std::vector<std::string>{};
  RunOptions options;
  options.timeout = absl::Seconds(10);
  const absl::StatusOr<RunResult> result = RunCommand(command, options);
  if (!result.ok()) {
    const std::string message(result.status().message());
    return message.substr(message.rfind(": ") + 2);  // What the system said of exec.
  }
  if (result->timed_out) return "no end after 10 s";
  if (result->exit.signal == 0 && result->exit.code == kProof) return "";
  return ToString(result->exit);
}

}  // namespace

bool IsNative(const Platform& platform, absl::string_view machine, bool runs_arm32) {
  if (platform.os != "linux") return false;
  if (machine == "x86_64") return platform.arch == "amd64" || platform.arch == "386";
  if (machine == "i686" || machine == "i586") return platform.arch == "386";
  if (machine == "aarch64") {
    return platform.arch == "arm64" || (platform.arch == "arm" && runs_arm32);
  }
  if (absl::StartsWith(machine, "arm")) return platform.arch == "arm";
  return machine == platform.arch;  // ppc64le, s390x, riscv64
}

absl::StatusOr<ProbeResult> ProbePlatforms(const std::string& scratch_dir) {
  const std::string scratch = scratch_dir + "/probing-platforms";
  MA_RETURN_IF_ERROR(RemoveTree(scratch));
  utsname host = {};
  uname(&host);
  // An arm64 processor may lack the 32-bit mode; then the kernel refuses this.
  const int before = personality(0xffffffff);
  const bool runs_arm32 = personality(PER_LINUX32) != -1;
  personality(static_cast<unsigned long>(before));

  ProbeResult result;
  for (const Platform& platform : PlatformsWithTinyProgram()) {
    MA_RETURN_IF_ERROR(MakeDirs(scratch));
    MA_RETURN_IF_ERROR(WriteFileAtomic(scratch + "/program", TinyProgram(platform, kProof), 0755));
    const std::string error = RunIn(scratch);
    if (error.empty()) {
      result.offered.push_back({platform, !IsNative(platform, host.machine, runs_arm32)});
    } else {
      result.refused.push_back({platform, Reason(platform, error)});
    }
    MA_RETURN_IF_ERROR(RemoveTree(scratch));
  }
  return result;
}

}  // namespace manyarch::worker
