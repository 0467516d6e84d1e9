#include "worker/platform/platform_probe.h"

#include <sys/personality.h>
#include <sys/utsname.h>

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {

namespace {

// Not a code that a shell, a loader or an emulator gives when it fails.
constexpr uint8_t kProof = 42;

constexpr char kBinfmt[] = "/proc/sys/fs/binfmt_misc";

// qemu's name for it, which the packages' handlers are called after.
std::string EmulatorName(const Platform& platform) {
  if (platform.arch == "amd64") return "x86_64";
  if (platform.arch == "386") return "i386";
  if (platform.arch == "arm64") return "aarch64";
  return platform.arch;
}

bool Disabled(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(kBinfmt, "/", file));
  return text.ok() && absl::StartsWith(*text, "disabled");
}

Binfmt BinfmtOf(const Platform& platform) {
  const std::string handler = absl::StrCat("qemu-", EmulatorName(platform));
  if (!PathExists(absl::StrCat(kBinfmt, "/register"))) return Binfmt::kNotMounted;
  if (Disabled("status")) return Binfmt::kOff;
  if (Disabled(handler)) return Binfmt::kHandlerOff;
  return PathExists(absl::StrCat(kBinfmt, "/", handler)) ? Binfmt::kHandler : Binfmt::kNoHandler;
}

// What is missing and what to do, from the error of running the program.
std::string Reason(const Platform& platform, absl::string_view error) {
  const std::string advice = EmulatorAdvice(platform, error, BinfmtOf(platform));
  return absl::StrCat("running a ", ToString(platform), " program: ", error,
                      advice.empty() ? "" : "; ", advice);
}

// How it ended, and the first line of what its emulator said.
std::string Ending(const RunResult& result) {
  constexpr size_t kMost = 200;
  absl::string_view said = absl::StripAsciiWhitespace(result.err);
  said = said.substr(0, std::min(kMost, said.find('\n')));
  return absl::StrCat(ToString(result.exit), said.empty() ? "" : ": ", ToUtf8(said));
}

struct Trial {
  std::string error;  // Empty when the program ran.
  bool timed_out = false;
};

Trial RunIn(const std::string& root, absl::Duration patience) {
  Command command;
  command.argv = {"/program"};
  command.chroot = root;
  command.env = std::vector<std::string>{};
  RunOptions options;
  options.timeout = patience;
  const absl::StatusOr<RunResult> result = RunCommand(command, options);
  if (!result.ok()) {
    const std::string message(result.status().message());
    return {.error = message.substr(message.rfind(": ") + 2)};  // What the system said of exec.
  }
  if (result->timed_out) {
    return {absl::StrCat("no end after ", absl::FormatDuration(patience)), /*timed_out=*/true};
  }
  if (result->exit.signal == 0 && result->exit.code == kProof) return {};
  return {.error = Ending(*result)};
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

std::string EmulatorAdvice(const Platform& platform, absl::string_view error, Binfmt binfmt) {
  const std::string name = EmulatorName(platform);
  const std::string enable = absl::StrCat("update-binfmts --enable qemu-", name);
  if (absl::StrContains(error, "No such file")) {
    return "its emulator cannot be reached from inside a build root: the binfmt_misc handler must "
           "have the flag F, which the package qemu-user-static sets";
  }
  if (error == "Permission denied") {  // The kernel's word, not an emulator's.
    return "the state directory must not be on a file system that is mounted noexec";
  }
  if (!absl::StrContains(error, "Exec format error")) {
    if (binfmt != Binfmt::kHandler) return "";
    return absl::StrCat("it is emulated by what ", kBinfmt, "/qemu-", name,
                        " names as interpreter: check that this is qemu-", name,
                        "-static and that it works");
  }
  switch (binfmt) {
    case Binfmt::kNotMounted:
      return absl::StrCat("to emulate it here, mount binfmt_misc (mount -t binfmt_misc none ",
                          kBinfmt, "; in a container, on the host), install the packages ",
                          "qemu-user-static and binfmt-support, and run `", enable, "`");
    case Binfmt::kOff:
      return absl::StrCat("all emulators are switched off here; to switch them on: echo 1 >",
                          kBinfmt, "/status");
    case Binfmt::kHandlerOff:
      return absl::StrCat("its emulator is switched off here; to switch it on: echo 1 >", kBinfmt,
                          "/qemu-", name);
    case Binfmt::kNoHandler:
      return absl::StrCat("to emulate it here, install the packages qemu-user-static and ",
                          "binfmt-support, and run `", enable, "`");
    case Binfmt::kHandler:
      return absl::StrCat("qemu-", name, " is registered for other programs: see ", kBinfmt,
                          "/qemu-", name);
  }
  return "";
}

absl::StatusOr<ProbeResult> ProbePlatforms(const std::string& scratch_dir,
                                           const std::vector<Platform>& platforms,
                                           absl::Duration patience) {
  const std::string scratch = scratch_dir + "/probing-platforms";
  MA_RETURN_IF_ERROR(RemoveTree(scratch));
  utsname host = {};
  uname(&host);
  // An arm64 processor may lack the 32-bit mode; then the kernel refuses this.
  const int before = personality(0xffffffff);
  const bool runs_arm32 = personality(PER_LINUX32) != -1;
  personality(static_cast<unsigned long>(before));

  ProbeResult result;
  for (const Platform& platform : platforms) {
    MA_RETURN_IF_ERROR(MakeDirs(scratch));
    MA_RETURN_IF_ERROR(WriteFileAtomic(scratch + "/program", TinyProgram(platform, kProof), 0755));
    const Trial trial = RunIn(scratch, patience);
    if (trial.error.empty()) {
      result.offered.push_back({platform, !IsNative(platform, host.machine, runs_arm32)});
    } else {
      result.refused.push_back({platform, Reason(platform, trial.error), trial.timed_out});
    }
    MA_RETURN_IF_ERROR(RemoveTree(scratch));
  }
  return result;
}

}  // namespace manyarch::worker
