// Probes with handlers of their own in the kernel.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/core/elf.h"
#include "worker/core/qemu.h"
#include "worker/platform/platform_probe.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

constexpr char kBinfmt[] = "/proc/sys/fs/binfmt_misc";

bool Write(const std::string& path, const std::string& bytes) {
  const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
  return write(file.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size());
}

// From Linux 6.7 on each user namespace has handlers of its own: what is registered here nobody
// else sees. Empty, or why this process cannot have them.
std::string EnterOwnHandlers() {
  if (geteuid() != 0) return "needs root";
  if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0 || !Write("/proc/self/uid_map", "0 0 1") ||
      !Write("/proc/self/setgroups", "deny") || !Write("/proc/self/gid_map", "0 0 1")) {
    return absl::StrCat("no user namespace: ", strerror(errno));
  }
  if (mount("binfmt_misc", kBinfmt, "binfmt_misc", 0, nullptr) != 0) {
    return absl::StrCat("no binfmt_misc of its own: ", strerror(errno));
  }
  return "";
}

class HandlerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    utsname host = {};
    uname(&host);
    if (std::string(host.machine) == "s390x") GTEST_SKIP() << "runs s390x itself";
    static const std::string& why_not = *new std::string(EnterOwnHandlers());
    if (!why_not.empty()) GTEST_SKIP() << why_not;
  }
  void TearDown() override {
    if (handler_.empty()) return;
    EXPECT_TRUE(Write(handler_, "-1")) << strerror(errno);
  }

  // For what begins like the platform's programs.
  void Register(const std::string& interpreter, const std::string& flags, Platform platform) {
    const std::string name = "qemu-" + QemuName(platform.arch);
    const std::string magic = TinyProgram(platform, 0).substr(0, kElfHeadBytes);
    std::string mask(kElfHeadBytes, '\xff');
    mask[7] = '\0';  // The system's ABI.
    const auto hex = [](absl::string_view bytes) {
      std::string text;
      for (const char c : bytes) absl::StrAppend(&text, "\\x", absl::BytesToHexString({&c, 1}));
      return text;
    };
    platform_ = std::move(platform);
    ASSERT_TRUE(Write(
        absl::StrCat(kBinfmt, "/register"),
        absl::StrCat(":", name, ":M::", hex(magic), ":", hex(mask), ":", interpreter, ":", flags)))
        << strerror(errno);
    handler_ = absl::StrCat(kBinfmt, "/", name);
  }
  void Register(const std::string& interpreter, const std::string& flags) {
    Register(interpreter, flags, platform_);
  }

  // Empty reason: it runs, emulated.
  MissingPlatform Probe() { return ProbeIn(*TempDir::Make()); }
  MissingPlatform ProbeIn(const TempDir& scratch) {
    const auto result = ProbePlatforms(scratch.path(), {platform_}, patience_);
    if (!result.ok()) return {platform_, result.status().ToString()};
    if (!result->refused.empty()) return result->refused.at(0);
    EXPECT_TRUE(result->offered.at(0).emulated);
    return {};
  }

  std::string handler_;
  Platform platform_{"linux", "s390x", ""};
  absl::Duration patience_ = absl::Minutes(1);
};

TEST_F(HandlerTest, AnEmulatorThatTheKernelHoldsOpenIsOfferedUntilItIsSwitchedOff) {
  const auto emulator = FindProgram("qemu-s390x-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "F");
  EXPECT_EQ(Probe().reason, "");
  ASSERT_TRUE(Write(handler_, "0"));
  EXPECT_EQ(Probe().reason,
            "running a linux/s390x program: Exec format error; its emulator is switched off here; "
            "to switch it on: echo 1 >/proc/sys/fs/binfmt_misc/qemu-s390x");
}

// As with a kernel that has no 32-bit half: its programs run, but not by themselves.
TEST_F(HandlerTest, APlatformOfTheMachinesFamilyThatAnEmulatorRunsIsEmulated) {
  utsname host = {};
  uname(&host);
  const bool arm = std::string(host.machine) == "aarch64";
  if (!arm && std::string(host.machine) != "x86_64") GTEST_SKIP() << "a family of one";
  const Platform half = arm ? Platform{"linux", "arm", "v7"} : Platform{"linux", "386", ""};
  const auto emulator = FindProgram(arm ? "qemu-arm-static" : "qemu-i386-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  const TempDir scratch = *TempDir::Make();
  const ProbeResult before = *ProbePlatforms(scratch.path(), {half}, patience_);
  for (const FoundPlatform& found : before.offered) EXPECT_FALSE(found.emulated);
  Register(*emulator, "F", half);
  EXPECT_EQ(Probe().reason, "");
}

TEST_F(HandlerTest, AnEmulatorThatIsLookedForInsideTheBuildRootIsRefused) {
  const auto emulator = FindProgram("qemu-s390x-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "");
  EXPECT_THAT(Probe().reason, HasSubstr("the flag F"));
}

TEST_F(HandlerTest, AnEmulatorOfAnotherArchitectureIsRefusedWithWhatItSays) {
  const auto emulator = FindProgram("qemu-arm-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "F");
  const MissingPlatform missing = Probe();
  EXPECT_THAT(missing.reason, ContainsRegex("program: exit code [0-9]+: .*Invalid ELF image.*; "
                                            ".*check that this is qemu-s390x-static"));
  EXPECT_FALSE(missing.timed_out);
}

TEST_F(HandlerTest, AStateDirectoryThatNothingMayRunFromIsNotTakenForAMissingEmulator) {
  const TempDir scratch = *TempDir::Make();
  ASSERT_EQ(mount("none", scratch.path().c_str(), "tmpfs", MS_NOEXEC, nullptr), 0);
  EXPECT_EQ(ProbeIn(scratch).reason,
            "running a linux/s390x program: Permission denied; the state directory must not be on "
            "a file system that is mounted noexec");
  EXPECT_EQ(umount(scratch.path().c_str()), 0);
}

// Whether a process was started with this as its name.
bool Runs(const std::string& program) {
  std::error_code error;
  for (std::filesystem::directory_iterator it("/proc", error), end; !error && it != end;
       it.increment(error)) {
    const auto command = ReadFile(it->path() / "cmdline");
    if (command.ok() && absl::StartsWith(*command, program + std::string(1, '\0'))) return true;
  }
  return false;
}

TEST_F(HandlerTest, AnEmulatorThatHangsIsRefusedAndEnded) {
  // Of a name that no other test's process has.
  const TempDir dir = *TempDir::Make();
  const std::string stubborn = dir.path() + "/stubborn";
  ASSERT_TRUE(WriteFileAtomic(stubborn, *ReadFile(STUBBORN_PROGRAM), 0755).ok());
  Register(stubborn, "F");
  patience_ = absl::Seconds(1);
  const MissingPlatform missing = Probe();
  EXPECT_THAT(missing.reason, HasSubstr("program: no end after 1s; it is emulated by what "));
  EXPECT_TRUE(missing.timed_out);
  EXPECT_FALSE(Runs(stubborn));
  // What tells that Runs sees such a process while there is one.
  const auto child = *ChildProcess::Start({.argv = {stubborn}});
  EXPECT_TRUE(Runs(stubborn));
}

}  // namespace
}  // namespace manyarch::worker
