// Programs that crash under the real qemu.
#include <elf.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include <cstddef>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/platform.h"
#include "tests/worker/build/attempt_rig.h"
#include "worker/core/qemu.h"
#include "worker/platform/platform_probe.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr size_t kExitSize = 12;  // Of the tiny programs' code, which is at their end.

// A program whose first instruction no processor has.
std::string Crashing(const std::string& arch) {
  std::string program = TinyProgram({"linux", arch, ""}, 0);
  const std::string undefined = arch == "amd64" ? std::string("\x0f\x0b", 2) : std::string(4, '\0');
  return program.replace(program.size() - kExitSize, undefined.size(), undefined);
}

// A program whose second thread does so, while the first waits for ever.
std::string CrashingInAThread(const std::string& arch) {
  const std::string start_amd64(
      "\xbf\x00\x0f\x05\x00"  // mov $0x50f00, %edi (CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM)
      "\x31\xf6"              // xor %esi, %esi
      "\x31\xd2"              // xor %edx, %edx
      "\x45\x31\xd2"          // xor %r10d, %r10d
      "\x45\x31\xc0"          // xor %r8d, %r8d
      "\xb8\x38\x00\x00\x00"  // mov $56, %eax (clone)
      "\x0f\x05"              // syscall
      "\x85\xc0\x75\x02"      // test %eax, %eax; jne 1f
      "\x0f\x0b"              // ud2
      "\xb8\x22\x00\x00\x00"  // 1: mov $34, %eax (pause)
      "\x0f\x05\xeb\xf7",     // syscall; jmp 1b
      37);
  const std::string start_arm64(
      "\x00\xe0\x81\xd2\xa0\x00\xa0\xf2"  // mov x0, #0x50f00
      "\x01\x00\x80\xd2\x02\x00\x80\xd2"  // mov x1, #0; mov x2, #0
      "\x03\x00\x80\xd2\x04\x00\x80\xd2"  // mov x3, #0; mov x4, #0
      "\x88\x1b\x80\xd2\x01\x00\x00\xd4"  // mov x8, #220 (clone); svc #0
      "\x40\x00\x00\xb5\x00\x00\x00\x00"  // cbnz x0, 1f; udf #0
      "\x00\x00\x80\xd2\x01\x00\x80\xd2"  // 1: mov x0, #0; mov x1, #0
      "\x02\x00\x80\xd2\x03\x00\x80\xd2"  // mov x2, #0; mov x3, #0
      "\x28\x09\x80\xd2\x01\x00\x00\xd4"  // mov x8, #73 (ppoll); svc #0
      "\xfa\xff\xff\x17",                 // b 1b
      68);
  const std::string& code = arch == "amd64" ? start_amd64 : start_arm64;
  std::string program = TinyProgram({"linux", arch, ""}, 0);
  program.replace(program.size() - kExitSize, kExitSize, code);
  for (const size_t field : {offsetof(Elf64_Phdr, p_filesz), offsetof(Elf64_Phdr, p_memsz)}) {
    program[sizeof(Elf64_Ehdr) + field] = static_cast<char>(program.size());
  }
  return program;
}

class EmulatorTest : public ::testing::TestWithParam<IsolationChoice> {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(GetParam()); !why.empty()) GTEST_SKIP() << why;
    utsname host = {};
    uname(&host);
    own_ = NormalPlatform("linux", host.machine, "").arch;
    foreign_ = own_ == "amd64" ? "arm64" : "amd64";
    const auto probe = ProbePlatforms(rig_.dir.path() + "/probe");
    ASSERT_TRUE(probe.ok()) << probe.status();
    for (const FoundPlatform& found : probe->offered) {
      if (found.platform == Platform{"linux", foreign_, ""} && found.emulated) return;
    }
    GTEST_SKIP() << "no emulator for " << foreign_;
  }

  v1::Finished Run(const std::string& program) {
    return Run(program, "FROM scratch\nCOPY program /\nRUN [\"/program\"]\n", foreign_);
  }
  v1::Finished Run(const std::string& program, const std::string& containerfile,
                   const std::string& arch) {
    v1::Offer offer =
        rig_.Offer(rig_.Context({{"Containerfile", containerfile}, {"program", program}}), arch);
    offer.set_emulated(arch == foreign_);
    // It takes some seconds; this bound only tells it from waiting for ever.
    offer.mutable_timeout()->set_seconds(60);
    return rig_.Run(offer);
  }

  void ExpectACrash(const v1::Finished& result);

  AttemptRig rig_;
  std::string own_;
  std::string foreign_;
};

void EmulatorTest::ExpectACrash(const v1::Finished& result) {
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_EQ(result.failure().class_(), v1::FAILURE_CLASS_INFRASTRUCTURE) << result.DebugString();
  EXPECT_TRUE(result.failure().emulator_crash()) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("crashed under qemu"));
  EXPECT_THAT(rig_.seen.output, HasSubstr("qemu: uncaught target signal 4 (Illegal instruction)"));
  EXPECT_EQ(rig_.Leftovers(), "");
}

TEST_P(EmulatorTest, ACrashOfTheFirstProgramEndsTheAttemptAndIsTheEmulators) {
  ExpectACrash(Run(Crashing(foreign_)));
}

TEST_P(EmulatorTest, ACrashOfAThreadEndsTheAttemptWhateverTheFirstThreadWaitsFor) {
  ExpectACrash(Run(CrashingInAThread(foreign_)));
}

// A native build is none of an emulated platform, whatever its other stages are of.
TEST_P(EmulatorTest, ACrashInAStageOfAnotherPlatformEndsANativeAttemptAndIsNotItsPlatforms) {
  const v1::Finished result =
      Run(Crashing(foreign_),
          absl::StrCat("FROM --platform=linux/", foreign_,
                       " scratch AS other\nCOPY program /\nRUN [\"/program\"]\n"
                       "FROM scratch\nCOPY --from=other /program /\n"),
          own_);
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  const v1::Failure& failure = result.failure();
  EXPECT_FALSE(failure.emulator_crash()) << result.DebugString();
  if (GetParam() == IsolationChoice::kChroot) {
    // Nothing holds the emulator up there: that it crashed is only what it has printed.
    EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_USER) << result.DebugString();
    EXPECT_THAT(failure.message(), HasSubstr("a program of another platform crashed under qemu"));
  } else {
    EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_INFRASTRUCTURE) << result.DebugString();
    EXPECT_THAT(failure.message(), AllOf(HasSubstr("linux/" + own_ + ": "),
                                         HasSubstr("a program for " + foreign_ + ", which "),
                                         HasSubstr("crashed under qemu-" + QemuName(foreign_))));
  }
  EXPECT_EQ(rig_.Leftovers(), "");
}

INSTANTIATE_TEST_SUITE_P(Isolations, EmulatorTest,
                         ::testing::Values(IsolationChoice::kAuto, IsolationChoice::kChroot),
                         [](const auto& test) {
                           return test.param == IsolationChoice::kChroot ? "chroot" : "oci";
                         });

}  // namespace
}  // namespace manyarch::worker
