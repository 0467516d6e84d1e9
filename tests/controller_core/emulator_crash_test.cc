// What a crash of an emulator changes for the builds that wait: cases that read like sentences.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::shared_ptr<JobSpec> SpecOf(const std::string& repository, const std::string& platform,
                                Emulation emulation = Emulation::kFallback) {
  auto spec = FarmRig::Spec({platform});
  spec->tags = {{repository, "v1"}};
  spec->emulation = emulation;
  return spec;
}

// What was learned before: minutes that builds of a repository take, on a worker nobody knows.
struct Known {
  std::string repository;
  std::string platform;
  double native = 0;
  double emulated = 0;
};

FarmState After(const std::vector<Known>& all) {
  Estimates past;
  const absl::Time then = absl::UnixEpoch() + absl::Hours(10);
  for (const Known& one : all) {
    const BuildKind kind{one.repository, "", FarmRig::P(one.platform)};
    if (one.native > 0) past.Succeeded(kind, "old", false, absl::Minutes(one.native), then);
    if (one.emulated > 0) past.Succeeded(kind, "old", true, absl::Minutes(one.emulated), then);
  }
  FarmState state;
  for (const BuildKind& kind : past.TakeChanged()) {
    state.estimates.emplace_back(kind, *past.Find(kind));
  }
  return state;
}

TEST(EmulatorCrash, SendsLaterAttemptsToANativeWorkerAndSaysSo) {
  FarmRig rig;
  rig.Join("emulating", 1, {"linux/arm64*"}, 4);
  auto spec = SpecOf("reg/app", "linux/arm64", Emulation::kAllow);
  rig.Submit("j1", spec);
  rig.Accept(1, "j1-arm64-1");
  rig.Join("native", 2, {"linux/arm64"});
  rig.Submit("busy", SpecOf("reg/other", "linux/arm64"));
  rig.Accept(2, "busy-arm64-1");
  Failure crash{FailureClass::kInfrastructure, "qemu crashed", 139, "", {}, true};
  rig.Do(AttemptFinished{1, {"j1-arm64-1", crash, 0}});
  rig.Pass(absl::Minutes(5), {1, 2});
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("it has crashed the emulator 1 time"));
  // A new job of the same repository knows it as well.
  rig.Submit("j2", spec);
  EXPECT_THAT(rig.waiting("j2"), HasSubstr("it has crashed the emulator 1 time"));
  EXPECT_THAT(rig.Push(2, "busy-arm64-1"), Contains("offer j1-arm64-2 to 2"));
}

Failure EmulatorCrashed() {
  return {FailureClass::kInfrastructure, "qemu crashed", 139, "", {}, true};
}

TEST(EmulatorCrash, SendsWhatIsQueuedAlreadyToANativeWorkerToo) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 30, 40}, {"reg/other", "linux/arm64", 300, 0}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Submit("busy", SpecOf("reg/other", "linux/arm64"));
  rig.Accept(1, "busy-arm64-1");
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
  rig.Submit("j1", SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  rig.Accept(2, "j1-arm64-1");
  rig.Submit("j2", SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  rig.Submit("other", SpecOf("reg/another", "linux/arm64", Emulation::kAllow));
  EXPECT_THAT(rig.Do(AttemptFinished{2, {"j1-arm64-1", EmulatorCrashed(), 0}}),
              Not(Contains("offer j2-arm64-1 to 2 emulated")));
  EXPECT_THAT(rig.waiting("j2"), HasSubstr("it has crashed the emulator 1 time, so it goes to a"));
  EXPECT_THAT(rig.waiting("other"), Not(HasSubstr("crashed")));
}

TEST(EmulatorCrash, IsOverForWhatIsQueuedOnceOneHasSucceededUnderEmulation) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 30, 40}, {"reg/other", "linux/arm64", 300, 0}}));
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"}, 2);
  for (const std::string job : {"j1", "j2"}) {
    rig.Submit(job, SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
    rig.Accept(2, job + "-arm64-1");
  }
  rig.Join("native", 1, {"linux/arm64"});
  rig.Submit("busy", SpecOf("reg/other", "linux/arm64"));
  rig.Accept(1, "busy-arm64-1");
  rig.Do(AttemptFinished{2, {"j1-arm64-1", EmulatorCrashed(), 0}});
  EXPECT_THAT(rig.Submit("j3", SpecOf("reg/app", "linux/arm64", Emulation::kAllow)),
              ElementsAre("answer 1: j3"));
  EXPECT_THAT(rig.waiting("j3"), HasSubstr("it has crashed the emulator 1 time"));
  rig.Pass(absl::Minutes(1), {1, 2});
  rig.Push(2, "j2-arm64-1");
  EXPECT_THAT(rig.Checked("j2-arm64-1"), Contains("offer j3-arm64-1 to 2 emulated"));
}

TEST(EmulatorCrash, CountsForAllStagesOfTheRepository) {
  FarmRig rig(After({{"reg/app", "linux/arm64", 30, 40}, {"reg/other", "linux/arm64", 300, 0}}));
  rig.Join("native", 1, {"linux/arm64"});
  rig.Submit("busy", SpecOf("reg/other", "linux/arm64"));
  rig.Accept(1, "busy-arm64-1");
  rig.Join("emulating", 2, {"linux/amd64", "linux/arm64*"});
  auto stage = SpecOf("reg/app", "linux/arm64", Emulation::kAllow);
  stage->target = "test";
  rig.Submit("j1", stage);
  rig.Accept(2, "j1-arm64-1");
  rig.Do(AttemptFinished{2, {"j1-arm64-1", EmulatorCrashed(), 0}});
  rig.Submit("j2", SpecOf("reg/app", "linux/arm64", Emulation::kAllow));
  EXPECT_THAT(rig.waiting("j2"), HasSubstr("it has crashed the emulator 1 time"));
}

}  // namespace
}  // namespace manyarch::controller::core
