// Why a build waits, worker by worker.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Why(FarmRig& rig, const std::string& job) {
  const auto lines = rig.Do(Explain{7, job});
  EXPECT_EQ(lines.size(), 1u);
  return lines.empty() ? "" : lines[0];
}

std::shared_ptr<JobSpec> With(const std::string& platform, Emulation policy) {
  auto spec = FarmRig::Spec({platform});
  spec->emulation = policy;
  return spec;
}

TEST(Explain, EveryWorkerHasAReasonOfItsOwn) {
  FarmRig rig;
  rig.Join("busy", 1, {"linux/s390x"});
  rig.Submit("j0", FarmRig::Spec({"linux/s390x"}));
  rig.Accept(1, "j0-s390x-1");
  rig.Join("cordoned", 2, {"linux/s390x"});
  rig.Admit("cordoned", Admission::kCordoned, "new disk");
  rig.Join("draining", 3, {"linux/s390x"});
  rig.Admit("draining", Admission::kDraining, "");
  rig.Join("emulates", 4, {"linux/s390x*"});
  WorkerHello full = FarmRig::HelloOf("full", 5, {"linux/s390x"});
  full.not_ready = "its disk is full";
  rig.Do(full);
  WorkerHello refuses = FarmRig::HelloOf("refuses", 6, {"linux/amd64"});
  refuses.description.refused.push_back({FarmRig::P("linux/s390x"), "Exec format error"});
  rig.Do(refuses);
  rig.Join("silent", 7, {"linux/amd64", "linux/arm64*"});
  rig.Submit("j1", With("linux/s390x", Emulation::kFallback));
  EXPECT_EQ(Why(rig, "j1"),
            "explained 7\n"
            "linux/s390x: waiting for a free slot for linux/s390x: busy (1 of 1 slot taken)\n"
            " +busy: it could take it, and is busy with j0-s390x-1 (1 of 1 slot taken)\n"
            " -cordoned: it is cordoned: new disk\n"
            " -draining: it is draining\n"
            " -emulates: it could only emulate it, and busy runs it natively (`--emulation allow` "
            "would use both)\n"
            " -full: it takes nothing new for now: its disk is full\n"
            " -refuses: it does not offer linux/s390x: Exec format error\n"
            " -silent: it does not offer linux/s390x, only linux/amd64 (native), linux/arm64 "
            "(emulated)");
}

TEST(Explain, EmulationThatIsRuledOutAndSilenceAreSaid) {
  FarmRig rig;
  rig.Join("emulates", 1, {"linux/s390x*"});
  rig.Submit("j1", With("linux/s390x", Emulation::kNever));
  EXPECT_THAT(Why(rig, "j1"), HasSubstr("-emulates: it could only emulate it, and the job rules"));
  rig.Join("native", 2, {"linux/s390x"}, 1);
  rig.Accept(2, "j1-s390x-1");
  rig.Submit("j2", With("linux/s390x", Emulation::kNever));
  rig.Pass(absl::Seconds(30), {1});
  EXPECT_THAT(Why(rig, "j2"), HasSubstr("+native: it does not answer"));
  rig.Pass(absl::Seconds(60), {1});
  EXPECT_THAT(Why(rig, "j2"), HasSubstr("-native: it is lost"));
}

TEST(Explain, ARegistryOnALoopbackIsOutOfReachForOtherMachines) {
  FarmRig rig;
  rig.Join("far", 1, {"linux/amd64"});
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->local_only = true;
  rig.Submit("j1", spec);
  EXPECT_THAT(Why(rig, "j1"), HasSubstr("-far: it is on another machine"));
}

TEST(Explain, APauseBeforeTheNextTryIsTold) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Accept(1, "j1-amd64-1");
  rig.Fail(1, "j1-amd64-1", FailureClass::kInfrastructure);
  EXPECT_THAT(Why(rig, "j1"), HasSubstr("because it broke; next try in "));
  EXPECT_THAT(Why(rig, "j1"), HasSubstr("+w: an attempt came to nothing there"));
}

TEST(Explain, OnlyLiveJobsAreKnown) {
  FarmRig rig;
  EXPECT_EQ(Why(rig, "j9"), "explained 7");
  EXPECT_THAT(rig.touched(), ElementsAre());
}

}  // namespace
}  // namespace manyarch::controller::core
