#include "worker/platform/platform_probe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <map>

#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

// Each program run by the emulator of its architecture, named directly: no binfmt needed.
TEST(TinyProgram, EachRunsUnderTheEmulatorOfItsArchitecture) {
  const std::map<std::string, std::string> emulators = {
      {"amd64", "x86_64"},    {"386", "i386"},    {"arm64", "aarch64"},  {"arm", "arm"},
      {"ppc64le", "ppc64le"}, {"s390x", "s390x"}, {"riscv64", "riscv64"}};
  TempDir dir = *TempDir::Make();
  int ran = 0;
  for (const Platform& platform : PlatformsWithTinyProgram()) {
    const auto emulator = FindProgram("qemu-" + emulators.at(platform.arch) + "-static");
    if (!emulator.ok()) continue;
    for (const uint8_t code : {0, 42, 200}) {
      ASSERT_TRUE(WriteFileAtomic(dir.path() + "/p", TinyProgram(platform, code), 0755).ok());
      const auto result = RunCommand({.argv = {*emulator, dir.path() + "/p"}});
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_EQ(result->exit.code, code) << ToString(platform) << ": " << result->err;
    }
    ++ran;
  }
  if (ran == 0) GTEST_SKIP() << "no qemu-user-static here";
}

TEST(TinyProgram, V7ProgramDoesNotRunOnAV6Processor) {
  const auto emulator = FindProgram("qemu-arm-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  TempDir dir = *TempDir::Make();
  for (const std::string variant : {"v6", "v7"}) {
    ASSERT_TRUE(
        WriteFileAtomic(dir.path() + "/p", TinyProgram({"linux", "arm", variant}, 42), 0755).ok());
    const RunResult result =
        *RunCommand({.argv = {*emulator, "-cpu", "arm1136-r2", dir.path() + "/p"}});
    EXPECT_EQ(result.exit.code == 42, variant == "v6");
  }
}

TEST(TinyProgram, ThereIsNoneForOtherPlatforms) {
  EXPECT_EQ(TinyProgram({"linux", "mips", ""}, 0), "");
  EXPECT_EQ(TinyProgram({"windows", "amd64", ""}, 0), "");
}

TEST(TinyProgram, WaitsForItsInput) {
  TempDir dir = *TempDir::Make();
  const Platform own = [] {
    utsname host = {};
    uname(&host);
    return NormalPlatform("linux", host.machine, "");
  }();
  const std::string program = dir.path() + "/p";
  ASSERT_TRUE(WriteFileAtomic(program, TinyProgram(own, 42), 0755).ok());
  int ends[2];
  ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd in(ends[0]);
  UniqueFd hold(ends[1]);
  const auto child = *ChildProcess::Start({.argv = {program}}, {.in = in.get()});
  EXPECT_FALSE(child->WaitFor(absl::Milliseconds(20)).has_value());
  ASSERT_EQ(write(hold.get(), "x", 1), 1);
  EXPECT_EQ(child->WaitFor(absl::Minutes(1)).value_or(ExitStatus{}).code, 42);
}

TEST(IsNative, IsWhatRanItselfOnAMachineOfItsFamily) {
  const struct {
    const char* machine;
    Platform platform;
    Ran ran;
    bool native;
  } rows[] = {
      {"x86_64", {"linux", "amd64", ""}, Ran::kItself, true},
      {"x86_64", {"linux", "386", ""}, Ran::kItself, true},
      // A kernel without the 32-bit calls, and qemu-i386; a processor without them, and qemu-arm.
      {"x86_64", {"linux", "386", ""}, Ran::kAnother, false},
      {"aarch64", {"linux", "arm", "v7"}, Ran::kItself, true},
      {"aarch64", {"linux", "arm", "v7"}, Ran::kAnother, false},
      {"aarch64", {"linux", "arm", "v6"}, Ran::kAnother, false},
      {"aarch64", {"linux", "arm64", ""}, Ran::kItself, true},
      {"armv7l", {"linux", "arm", "v6"}, Ran::kItself, true},
      {"i686", {"linux", "386", ""}, Ran::kItself, true},
      {"s390x", {"linux", "s390x", ""}, Ran::kItself, true},
      // A handler for the machine's own programs.
      {"aarch64", {"linux", "arm64", ""}, Ran::kAnother, false},
      {"x86_64", {"linux", "arm64", ""}, Ran::kAnother, false},
      {"s390x", {"linux", "amd64", ""}, Ran::kAnother, false},
      // Under setarch.
      {"i686", {"linux", "amd64", ""}, Ran::kItself, false},
      // What the machine is called is all that is known.
      {"x86_64", {"linux", "386", ""}, Ran::kUnknown, true},
      {"x86_64", {"linux", "arm64", ""}, Ran::kUnknown, false},
  };
  for (const auto& row : rows) {
    EXPECT_EQ(IsNative(row.platform, row.machine, row.ran), row.native)
        << ToString(row.platform) << " on " << row.machine << ", " << static_cast<int>(row.ran);
  }
}

TEST(EmulatorAdvice, IsWhatThisMachineLacks) {
  const Platform arm64{"linux", "arm64", ""};
  constexpr char kFormat[] = "Exec format error";
  EXPECT_THAT(EmulatorAdvice(arm64, kFormat, Binfmt::kNotMounted),
              HasSubstr("mount -t binfmt_misc none /proc/sys/fs/binfmt_misc"));
  EXPECT_EQ(EmulatorAdvice(arm64, kFormat, Binfmt::kNoHandler),
            "to emulate it here, install the packages qemu-user-static and binfmt-support, and run "
            "`update-binfmts --enable qemu-aarch64`");
  EXPECT_THAT(EmulatorAdvice(arm64, kFormat, Binfmt::kOff), HasSubstr("binfmt_misc/status"));
  EXPECT_EQ(EmulatorAdvice({"linux", "arm", "v7"}, kFormat, Binfmt::kHandlerOff),
            "its emulator is switched off here; to switch it on: echo 1 "
            ">/proc/sys/fs/binfmt_misc/qemu-arm");
  EXPECT_THAT(EmulatorAdvice(arm64, "No such file or directory", Binfmt::kHandler),
              HasSubstr("the flag F"));
  EXPECT_EQ(EmulatorAdvice(arm64, "exit code 255", Binfmt::kHandler),
            "it is emulated by what /proc/sys/fs/binfmt_misc/qemu-aarch64 names as interpreter: "
            "check that this is qemu-aarch64-static and that it works");
  EXPECT_THAT(EmulatorAdvice(arm64, "Permission denied", Binfmt::kHandler), HasSubstr("noexec"));
  // No emulator has to do with these.
  EXPECT_THAT(EmulatorAdvice(arm64, "Permission denied", Binfmt::kNoHandler), HasSubstr("noexec"));
  EXPECT_EQ(EmulatorAdvice(arm64, "exit code 255", Binfmt::kNoHandler), "");
  EXPECT_EQ(EmulatorAdvice(arm64, "no end after 10s", Binfmt::kNotMounted), "");
}

class ProbeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "needs root";
  }
};

TEST_F(ProbeTest, OffersTheMachinesOwnPlatformAndGivesAReasonForEachItRefuses) {
  TempDir scratch = *TempDir::Make();
  const auto result = ProbePlatforms(scratch.path());
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->offered.size() + result->refused.size(), PlatformsWithTinyProgram().size());
  utsname host = {};
  uname(&host);
  bool own = false;
  for (const FoundPlatform& found : result->offered) {
    own = own || (found.platform == NormalPlatform("linux", host.machine, "") && !found.emulated);
  }
  EXPECT_TRUE(own);
  for (const MissingPlatform& missing : result->refused) {
    EXPECT_THAT(missing.reason,
                HasSubstr("running a " + ToString(missing.platform) + " program: "));
    EXPECT_THAT(missing.reason, HasSubstr("; "));  // What to do.
  }
  EXPECT_EQ(*RunChecked({.argv = {"find", scratch.path(), "-mindepth", "1"}}), "");
}

}  // namespace
}  // namespace manyarch::worker
