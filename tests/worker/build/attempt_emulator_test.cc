// Programs that crash under the real qemu.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/utsname.h>

#include "absl/strings/match.h"
#include "common/base/platform.h"
#include "tests/worker/build/attempt_rig.h"
#include "worker/platform/platform_probe.h"
#include "worker/platform/tiny_program.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

// A program whose first instruction no processor has.
std::string Crashing(const std::string& arch) {
  std::string program = TinyProgram({"linux", arch, ""}, 0);
  const std::string undefined = arch == "amd64" ? std::string("\x0f\x0b", 2) : std::string(4, '\0');
  constexpr size_t kCode = 12;  // Of both; it is at the end.
  return program.replace(program.size() - kCode, undefined.size(), undefined);
}

class EmulatorTest : public ::testing::TestWithParam<IsolationChoice> {
 protected:
  void SetUp() override {
    if (const std::string why = rig_.Start(GetParam()); !why.empty()) GTEST_SKIP() << why;
    utsname host = {};
    uname(&host);
    foreign_ = NormalPlatform("linux", host.machine, "").arch == "amd64" ? "arm64" : "amd64";
    const auto probe = ProbePlatforms(rig_.dir.path() + "/probe");
    ASSERT_TRUE(probe.ok()) << probe.status();
    for (const FoundPlatform& found : probe->offered) {
      if (found.platform == Platform{"linux", foreign_, ""} && found.emulated) return;
    }
    GTEST_SKIP() << "no emulator for " << foreign_;
  }

  v1::Finished Run(const std::string& run) {
    v1::Offer offer =
        rig_.Offer(rig_.Context({{"Containerfile", "FROM scratch\nCOPY program /\n" + run},
                                 {"program", Crashing(foreign_)}}),
                   foreign_);
    offer.set_emulated(true);
    // It takes some seconds; this bound only tells it from waiting for ever.
    offer.mutable_timeout()->set_seconds(60);
    return rig_.Run(offer);
  }

  AttemptRig rig_;
  std::string foreign_;
};

TEST_P(EmulatorTest, ACrashOfTheFirstProgramEndsTheAttemptAndIsTheEmulators) {
  const v1::Finished result = Run("RUN [\"/program\"]\n");
  ASSERT_TRUE(result.has_failure()) << result.DebugString();
  EXPECT_EQ(result.failure().class_(), v1::FAILURE_CLASS_INFRASTRUCTURE) << result.DebugString();
  EXPECT_TRUE(result.failure().emulator_crash()) << result.DebugString();
  EXPECT_THAT(result.failure().message(), HasSubstr("crashed under qemu"));
  EXPECT_THAT(rig_.seen.output, HasSubstr("qemu: uncaught target signal 4 (Illegal instruction)"));
  EXPECT_EQ(rig_.Leftovers(), "");
}

INSTANTIATE_TEST_SUITE_P(Isolations, EmulatorTest,
                         ::testing::Values(IsolationChoice::kAuto, IsolationChoice::kChroot),
                         [](const auto& test) {
                           return test.param == IsolationChoice::kChroot ? "chroot" : "oci";
                         });

}  // namespace
}  // namespace manyarch::worker
