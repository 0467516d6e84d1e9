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

TEST(Explain, OfManyNativeWorkersAFewAreNamed) {
  FarmRig rig;
  for (uint64_t w = 1; w <= 45; ++w) rig.Join(absl::StrCat("n", w), w, {"linux/s390x"});
  for (int j = 0; j < 45; ++j) rig.Submit(absl::StrCat("b", j), FarmRig::Spec({"linux/s390x"}));
  rig.Join("emulates", 100, {"linux/s390x*"});
  rig.Submit("j1", With("linux/s390x", Emulation::kFallback));
  EXPECT_THAT(Why(rig, "j1"), HasSubstr("n15, n16, and 37 more run it natively"));
}

TEST(Explain, WhatIsCordonedIsWaitedForNoMore) {
  FarmRig rig;
  for (uint64_t w = 1; w <= 2; ++w) {
    rig.Join(absl::StrCat("w", w), w, {"linux/amd64"});
    rig.Submit(absl::StrCat("b", w), FarmRig::Spec({"linux/amd64"}));
    rig.Accept(w, absl::StrCat("b", w, "-amd64-1"));
  }
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("w1 (1 of 1 slot taken)"));
  rig.Admit("w1", Admission::kCordoned, "new disk");
  EXPECT_EQ(rig.waiting("j1"), "waiting for a free slot for linux/amd64: w2 (1 of 1 slot taken)");
}

class AProjectLimitOfOne : public ::testing::Test {
 protected:
  static FarmOptions Options() {
    FarmOptions options;
    options.queue.max_running = 1;
    return options;
  }
  FarmRig rig_{{}, Options()};
};

TEST_F(AProjectLimitOfOne, IsToldInTheSingularAndNothingIsPredictedToStartBeforeThereIsRoom) {
  rig_.Join("w", 1, {"linux/amd64"}, 4);
  rig_.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig_.Accept(1, "j1-amd64-1");
  rig_.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  EXPECT_EQ(rig_.waiting("j2"), "its project runs 1 build already, as many as it may");
  EXPECT_GE(*rig_.Forecast("j2").predicted_start, rig_.wall() + absl::Minutes(1));
}

TEST_F(AProjectLimitOfOne, IsNotWhyABuildWaitsThatNoWorkerCouldTake) {
  rig_.Join("w", 1, {"linux/amd64"}, 4);
  rig_.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->constraints = {{"disk", "nvme"}};
  rig_.Submit("j2", spec);
  EXPECT_THAT(rig_.waiting("j2"), HasSubstr("w has no label disk=nvme"));
}

TEST_F(AProjectLimitOfOne, IsToldAlsoWhereItIsReachedAfterTheBuildWasQueued) {
  rig_.Join("w", 1, {"linux/amd64"});
  auto other = FarmRig::Spec({"linux/amd64"});
  other->project = "another";
  rig_.Submit("busy", other);
  rig_.Accept(1, "busy-amd64-1");
  rig_.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig_.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(Why(rig_, "j2"), HasSubstr("waiting for a free slot"));
  rig_.Push(1, "busy-amd64-1");
  EXPECT_THAT(Why(rig_, "j2"), HasSubstr("its project runs 1 build already"));
}

TEST(Explain, OnlyLiveJobsAreKnown) {
  FarmRig rig;
  EXPECT_EQ(Why(rig, "j9"), "explained 7");
  EXPECT_THAT(rig.touched(), ElementsAre());
}

}  // namespace
}  // namespace manyarch::controller::core
