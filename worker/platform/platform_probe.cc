#include "worker/platform/platform_probe.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/core/qemu.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {

namespace {

// Not a code that a shell, a loader or an emulator gives when it fails.
constexpr uint8_t kProof = 42;

constexpr char kBinfmt[] = "/proc/sys/fs/binfmt_misc";

bool Disabled(const std::string& file) {
  const absl::StatusOr<std::string> text = ReadFile(absl::StrCat(kBinfmt, "/", file));
  return text.ok() && absl::StartsWith(*text, "disabled");
}

Binfmt BinfmtOf(const Platform& platform) {
  const std::string handler = absl::StrCat("qemu-", QemuName(platform.arch));
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
std::string Ending(const ExitStatus& exit, absl::string_view said) {
  constexpr size_t kMost = 200;
  said = absl::StripAsciiWhitespace(said);
  said = said.substr(0, std::min(kMost, said.find('\n')));
  return absl::StrCat(ToString(exit), said.empty() ? "" : ": ", ToUtf8(said));
}

// What a pipe holds, at most what it ever does.
std::string PipeContent(int fd) {
  std::string bytes(size_t{1} << 16, '\0');
  const ssize_t size = read(fd, bytes.data(), bytes.size());
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

// What the kernel has started for `program`; while the process waits.
Ran WhatRuns(pid_t pid, const std::string& program) {
  struct stat running = {};
  struct stat file = {};
  // Not the link's text: it is seen from another root.
  if (stat(absl::StrCat("/proc/", pid, "/exe").c_str(), &running) != 0 ||
      stat(program.c_str(), &file) != 0) {
    return Ran::kUnknown;
  }
  const bool same = running.st_dev == file.st_dev && running.st_ino == file.st_ino;
  return same ? Ran::kItself : Ran::kAnother;
}

struct Trial {
  std::string error;  // Empty when the program ran.
  bool timed_out = false;
  Ran ran = Ran::kUnknown;
};

absl::StatusOr<Trial> RunIn(const std::string& root, absl::Duration patience) {
  UniqueFd in, hold, out, err;
  for (const auto& [reading, writing] : {std::pair{&in, &hold}, std::pair{&out, &err}}) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "making a pipe");
    reading->reset(ends[0]);
    writing->reset(ends[1]);
  }
  Command command;
  command.argv = {"/program"};
  command.chroot = root;
  command.env = std::vector<std::string>{};
  const auto child = ChildProcess::Start(command, {.in = in.get(), .out = -1, .err = err.get()});
  if (!child.ok()) {
    const std::string message(child.status().message());
    return Trial{.error =
                     message.substr(message.rfind(": ") + 2)};  // What the system said of exec.
  }
  err.reset();
  Trial trial;
  trial.ran = WhatRuns((*child)->pid(), root + "/program");
  hold.reset();  // It may end.
  const std::optional<ExitStatus> exit = (*child)->WaitFor(patience);
  if (!exit.has_value()) {
    (*child)->Stop(absl::ZeroDuration());
    trial.error = absl::StrCat("no end after ", absl::FormatDuration(patience));
    trial.timed_out = true;
  } else if (exit->signal != 0 || exit->code != kProof) {
    trial.error = Ending(*exit, PipeContent(out.get()));
  }
  return trial;
}

}  // namespace

bool IsNative(const Platform& platform, absl::string_view machine, Ran ran) {
  if (platform.os != "linux" || ran == Ran::kAnother) return false;
  if (machine == "x86_64") return platform.arch == "amd64" || platform.arch == "386";
  if (machine == "i686" || machine == "i586") return platform.arch == "386";
  if (machine == "aarch64") return platform.arch == "arm64" || platform.arch == "arm";
  if (absl::StartsWith(machine, "arm")) return platform.arch == "arm";
  return machine == platform.arch;  // ppc64le, s390x, riscv64
}

std::string EmulatorAdvice(const Platform& platform, absl::string_view error, Binfmt binfmt) {
  const std::string name = QemuName(platform.arch);
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
  ProbeResult result;
  for (const Platform& platform : platforms) {
    MA_RETURN_IF_ERROR(MakeDirs(scratch));
    MA_RETURN_IF_ERROR(WriteFileAtomic(scratch + "/program", TinyProgram(platform, kProof), 0755));
    MA_ASSIGN_OR_RETURN(const Trial trial, RunIn(scratch, patience));
    if (trial.error.empty()) {
      result.offered.push_back({platform, !IsNative(platform, host.machine, trial.ran)});
    } else {
      result.refused.push_back({platform, Reason(platform, trial.error), trial.timed_out});
    }
    MA_RETURN_IF_ERROR(RemoveTree(scratch));
  }
  return result;
}

}  // namespace manyarch::worker
