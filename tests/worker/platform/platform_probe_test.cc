#include "worker/platform/platform_probe.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cerrno>
#include <map>

#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::ContainsRegex;
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

TEST(IsNative, FollowsTheMachinesFamily) {
  EXPECT_TRUE(IsNative({"linux", "amd64", ""}, "x86_64", false));
  EXPECT_TRUE(IsNative({"linux", "386", ""}, "x86_64", false));
  EXPECT_FALSE(IsNative({"linux", "arm64", ""}, "x86_64", false));
  EXPECT_TRUE(IsNative({"linux", "arm64", ""}, "aarch64", false));
  EXPECT_FALSE(IsNative({"linux", "arm", "v7"}, "aarch64", false));
  EXPECT_TRUE(IsNative({"linux", "arm", "v7"}, "aarch64", true));
  EXPECT_TRUE(IsNative({"linux", "arm", "v6"}, "armv7l", false));
  EXPECT_TRUE(IsNative({"linux", "s390x", ""}, "s390x", false));
  EXPECT_FALSE(IsNative({"linux", "amd64", ""}, "s390x", false));
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
  EXPECT_THAT(EmulatorAdvice(arm64, "exit code 255", Binfmt::kHandler),
              HasSubstr("see that this one is qemu-aarch64-static and works"));
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

// With handlers of its own in the kernel, for the one platform that no other test emulates.
class HandlerTest : public ProbeTest {
 protected:
  void SetUp() override {
    ProbeTest::SetUp();
    if (IsSkipped()) return;
    utsname host = {};
    uname(&host);
    if (std::string(host.machine) == "s390x") GTEST_SKIP() << "runs s390x itself";
    if (access("/proc/sys/fs/binfmt_misc/register", W_OK) != 0) GTEST_SKIP() << "no binfmt_misc";
    if (PathExists("/proc/sys/fs/binfmt_misc/qemu-s390x")) GTEST_SKIP() << "emulates s390x";
    Unregister();  // What a killed test has left.
  }
  void TearDown() override { Unregister(); }

  static void Unregister() {
    if (PathExists(kHandler)) Write(kHandler, "-1");
  }

  static void Write(const std::string& path, const std::string& bytes) {
    const UniqueFd file(open(path.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()))
        << path << ": " << strerror(errno);
  }

  static void Register(const std::string& interpreter, const std::string& flags) {
    Write("/proc/sys/fs/binfmt_misc/register",
          R"(:manyarch-test-s390x:M::\x7fELF\x02\x02\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00)"
          R"(\x00\x02\x00\x16:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff)"
          R"(\xff\xfe\xff\xff:)" +
              interpreter + ":" + flags);
  }

  // Empty where the machine runs s390x, else why not.
  std::string Refusal() {
    const TempDir scratch = *TempDir::Make();
    const auto result = ProbePlatforms(scratch.path(), {kS390x}, absl::Seconds(2));
    if (!result.ok()) return result.status().ToString();
    if (result->refused.empty()) {
      EXPECT_TRUE(result->offered.at(0).emulated);
      return "";
    }
    return result->refused.at(0).reason;
  }

  static constexpr char kHandler[] = "/proc/sys/fs/binfmt_misc/manyarch-test-s390x";
  const Platform kS390x{"linux", "s390x", ""};
};

TEST_F(HandlerTest, AnEmulatorThatTheKernelHoldsOpenIsOfferedUntilItIsSwitchedOff) {
  const auto emulator = FindProgram("qemu-s390x-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "F");
  EXPECT_EQ(Refusal(), "");
  Write(kHandler, "0");
  EXPECT_THAT(Refusal(), HasSubstr("Exec format error"));
}

TEST_F(HandlerTest, AnEmulatorThatIsLookedForInsideTheBuildRootIsRefused) {
  const auto emulator = FindProgram("qemu-s390x-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "");
  EXPECT_THAT(Refusal(), HasSubstr("the flag F"));
}

TEST_F(HandlerTest, AnEmulatorOfAnotherArchitectureIsRefusedWithWhatItSays) {
  const auto emulator = FindProgram("qemu-arm-static");
  if (!emulator.ok()) GTEST_SKIP() << "no qemu-user-static here";
  Register(*emulator, "F");
  EXPECT_THAT(Refusal(), ContainsRegex("program: exit code [0-9]+: .*Invalid ELF image"));
}

TEST_F(HandlerTest, AnEmulatorThatHangsIsRefusedAndEnded) {
  Register(STUBBORN_PROGRAM, "F");
  EXPECT_THAT(Refusal(), HasSubstr("program: no end after 2s; "));
  EXPECT_FALSE(RunChecked({.argv = {"pgrep", "-f", "^" STUBBORN_PROGRAM " /program"}}).ok());
}

}  // namespace
}  // namespace manyarch::worker
