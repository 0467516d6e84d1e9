// Workers: who gets what, why others wait, sessions and leases, and what survives a restart.
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller::core {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

struct PlacementCase {
  const char* name;
  Emulation policy;
  std::vector<std::string> native_worker;    // What worker 1 offers.
  std::vector<std::string> emulated_worker;  // What worker 2 offers.
  std::string expected;                      // The offer for linux/arm64, or empty.
};

TEST(Placement, NativeFirstThenAsThePolicySays) {
  const std::vector<std::string> none;
  const PlacementCase cases[] = {
      {"native wins",
       Emulation::kAllow,
       {"linux/arm64"},
       {"linux/arm64*"},
       "offer j1-arm64-1 to 1"},
      {"fallback where no native worker is registered",
       Emulation::kFallback,
       {"linux/amd64"},
       {"linux/arm64*"},
       "offer j1-arm64-1 to 2 emulated"},
      {"never means never", Emulation::kNever, {"linux/amd64"}, {"linux/arm64*"}, ""},
      {"nobody offers it", Emulation::kAllow, {"linux/amd64"}, {"linux/amd64"}, ""},
  };
  for (const PlacementCase& c : cases) {
    SCOPED_TRACE(c.name);
    FarmRig rig;
    rig.Join("one", 1, c.native_worker);
    rig.Join("two", 2, c.emulated_worker);
    auto spec = FarmRig::Spec({"linux/arm64"});
    spec->emulation = c.policy;
    rig.Submit("j1", spec);
    if (c.expected.empty()) {
      EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1"));
    } else {
      EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1", c.expected));
    }
  }
}

TEST(Placement, FallbackWaitsForABusyNativeWorker) {
  FarmRig rig;
  rig.Join("native", 1, {"linux/arm64"});
  rig.Join("emulating", 2, {"linux/arm64*"});
  rig.Submit("j1", FarmRig::Spec({"linux/arm64"}));
  rig.Submit("j2", FarmRig::Spec({"linux/arm64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j2"));
  EXPECT_THAT(rig.waiting("j2"),
              AllOf(HasSubstr("native (1 of 1 slot taken)"), Not(HasSubstr("emulating"))));
  // When the native worker is lost, what waited for it is emulated.
  rig.Do(WorkerGone{1});
  EXPECT_THAT(rig.Pass(absl::Seconds(70), {2}), Contains(HasSubstr("to 2 emulated")));
}

TEST(Placement, HigherPriorityAndEarlierSubmissionGoFirst) {
  FarmRig rig;
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  auto urgent = FarmRig::Spec({"linux/amd64"});
  urgent->priority = 5;
  rig.Submit("j3", urgent);
  EXPECT_THAT(rig.Join("w", 1, {"linux/amd64"}), ElementsAre("greet 1", "offer j3-amd64-1 to 1"));
  rig.Accept(1, "j3-amd64-1");
  EXPECT_THAT(rig.Push(1, "j3-amd64-1"), Contains("offer j1-amd64-1 to 1"));
}

TEST(Placement, TheReasonNamesTheWorkersAndWhatTheyOffer) {
  FarmRig rig;
  rig.Join("alpha", 1, {"linux/amd64", "linux/arm64*"});
  rig.Submit("j1", FarmRig::Spec({"linux/s390x"}));
  EXPECT_EQ(
      rig.waiting("j1"),
      "no worker offers linux/s390x: alpha offers linux/amd64 (native), linux/arm64 (emulated)");
  rig.Join("beta", 2, {"linux/riscv64"});
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("beta offers linux/riscv64 (native)"));
}

TEST(Placement, UnschedulableForTooLongFailsWithThatReason) {
  FarmRig rig;
  rig.Join("alpha", 1, {"linux/amd64"});
  auto spec = FarmRig::Spec({"linux/s390x"});
  spec->unschedulable_after = absl::Minutes(1);
  rig.Submit("j1", spec);
  rig.Pass(absl::Seconds(55), {1});
  EXPECT_FALSE(IsTerminal(rig.job("j1").state));
  rig.Pass(absl::Seconds(10), {1});
  const auto* failed = std::get_if<JobFailed>(&rig.job("j1").state);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->failure.cls, FailureClass::kUnschedulable);
  EXPECT_THAT(failed->failure.message, HasSubstr("alpha offers linux/amd64 (native)"));
}

TEST(Placement, AWorkerThatComesInTimeMakesItSchedulable) {
  FarmRig rig;
  auto spec = FarmRig::Spec({"linux/s390x"});
  spec->unschedulable_after = absl::Minutes(1);
  rig.Submit("j1", spec);
  rig.Pass(absl::Seconds(50));
  EXPECT_THAT(rig.Join("z", 1, {"linux/s390x"}), Contains("offer j1-s390x-1 to 1"));
  rig.Pass(absl::Minutes(5), {1});
  EXPECT_FALSE(IsTerminal(rig.job("j1").state));
}

TEST(Placement, ZeroWaitsForEver) {
  FarmRig rig;
  auto spec = FarmRig::Spec({"linux/s390x"});
  spec->unschedulable_after = absl::ZeroDuration();
  rig.Submit("j1", spec);
  rig.Pass(absl::Hours(2));
  EXPECT_FALSE(IsTerminal(rig.job("j1").state));
}

TEST(Placement, ARegistryOnTheLoopbackIsForWorkersOnThatMachineAlone) {
  FarmRig rig;
  rig.Join("far", 1, {"linux/amd64"});
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->local_only = true;
  rig.Submit("j1", spec);
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1"));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("far is on another machine"));
  WorkerHello near = FarmRig::HelloOf("near", 2, {"linux/amd64"});
  near.description.local = true;
  EXPECT_THAT(rig.Do(near), ElementsAre("greet 2", "offer j1-amd64-1 to 2"));
}

TEST(Placement, ADrainingWorkerGetsNothingNew) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Do(WorkerDrains{1, {}});
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1"));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("a is draining"));
}

TEST(Workers, SilenceMakesSuspectThenLost) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Pass(absl::Seconds(25));
  EXPECT_TRUE(std::holds_alternative<WorkerSuspect>(rig.farm().FindWorker("a")->state));
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1"));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("not answering"));
  EXPECT_THAT(rig.Do(WorkerHeard{1}), ElementsAre("offer j1-amd64-1 to 1"));
  EXPECT_THAT(rig.Pass(absl::Seconds(70)), Contains("close 1"));
  EXPECT_TRUE(std::holds_alternative<WorkerLost>(rig.farm().FindWorker("a")->state));
}

TEST(Workers, ASecondWorkerWithTheSameIdIsRefused) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  WorkerHello twin = FarmRig::HelloOf("a", 2, {"linux/amd64"});
  twin.incarnation = "another process";
  EXPECT_THAT(rig.Do(twin), ElementsAre("close 2"));
  // The same process on a new stream takes over.
  EXPECT_THAT(rig.Do(FarmRig::HelloOf("a", 3, {"linux/amd64"})), ElementsAre("close 1", "greet 3"));
  // What still arrives from the old stream is ignored.
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.Accept(1, "j1-amd64-1"), IsEmpty());
  EXPECT_TRUE(std::holds_alternative<AttemptOffered>(rig.build("j1").attempts[0].state));
}

TEST(Admission, ACordonedWorkerGetsNothingNewUntilItIsUncordoned) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  EXPECT_THAT(rig.Admit("a", Admission::kCordoned, "new disk"), ElementsAre("answer 3: a"));
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  EXPECT_THAT(rig.last(), ElementsAre("answer 1: j1"));
  EXPECT_THAT(rig.waiting("j1"), HasSubstr("a is cordoned (new disk)"));
  // A reconnect changes nothing about it.
  rig.Do(FarmRig::HelloOf("a", 2, {"linux/amd64"}));
  EXPECT_THAT(rig.Admit("a", Admission::kSchedulable, ""),
              ElementsAre("offer j1-amd64-1 to 2", "answer 3: a"));
  EXPECT_THAT(rig.Admit("nobody", Admission::kCordoned, ""),
              ElementsAre(HasSubstr("there is no worker 'nobody'")));
}

TEST(Admission, AWorkerThatBreaksJobsWhileOthersSucceedIsCordonedWithTheReason) {
  FarmRig rig;
  rig.Join("bad", 1, {"linux/amd64"});
  rig.Join("good", 2, {"linux/arm64", "linux/amd64*"});
  for (int i = 1; i <= 2; ++i) {
    const std::string good = absl::StrCat("g", i);
    rig.Submit(good, FarmRig::Spec({"linux/arm64"}, good));
    rig.Build(2, good + "-arm64-1");
    const std::string bad = absl::StrCat("b", i);
    rig.Submit(bad, FarmRig::Spec({"linux/amd64"}, bad));
    rig.Accept(1, bad + "-amd64-1");
    rig.Fail(1, bad + "-amd64-1", FailureClass::kInfrastructure);
    rig.Cancel(bad);
  }
  EXPECT_EQ(rig.farm().FindWorker("bad")->admission, Admission::kSchedulable);
  rig.Submit("g3", FarmRig::Spec({"linux/arm64"}, "g3"));
  rig.Build(2, "g3-arm64-1");
  rig.Submit("b3", FarmRig::Spec({"linux/amd64"}, "b3"));
  rig.Accept(1, "b3-amd64-1");
  rig.Fail(1, "b3-amd64-1", FailureClass::kInfrastructure);
  EXPECT_EQ(rig.farm().FindWorker("bad")->admission, Admission::kCordoned);
  EXPECT_THAT(rig.farm().FindWorker("bad")->admission_reason, HasSubstr("it broke"));
}

TEST(Admission, ARegistryThatIsDownForAllCordonsNobody) {
  FarmRig rig;
  rig.Join("a", 1, {"linux/amd64"});
  rig.Join("b", 2, {"linux/amd64"});
  for (int i = 0; i < 10; ++i) {
    const std::string job = absl::StrCat("j", i);
    rig.Submit(job, FarmRig::Spec({"linux/amd64"}, job));
    const uint64_t session = rig.last().back().back() == '1' ? 1 : 2;
    rig.Accept(session, job + "-amd64-1");
    rig.Fail(session, job + "-amd64-1", FailureClass::kInfrastructure);
    rig.Cancel(job);
  }
  EXPECT_EQ(rig.farm().FindWorker("a")->admission, Admission::kSchedulable);
  EXPECT_EQ(rig.farm().FindWorker("b")->admission, Admission::kSchedulable);
}

TEST(Admission, APoisonJobHitsThreeWorkersAtMostAndHealthyJobsGoOn) {
  FarmRig rig;
  for (uint64_t w = 1; w <= 5; ++w) rig.Join(absl::StrCat("w", w), w, {"linux/amd64"});
  rig.Submit("poison", FarmRig::Spec({"linux/amd64"}, "poison"));
  absl::btree_set<std::string> hit;
  for (int attempt = 1; attempt <= 3; ++attempt) {
    const Attempt& last = rig.build("poison").attempts.back();
    hit.insert(last.worker);
    const uint64_t session = static_cast<uint64_t>(last.worker[1] - '0');
    rig.Accept(session, last.id);
    // The worker dies and comes back without it.
    rig.Do(WorkerGone{session});
    WorkerHello hello = FarmRig::HelloOf(last.worker, session, {"linux/amd64"});
    hello.incarnation = absl::StrCat("again ", attempt);
    rig.Do(hello);
  }
  EXPECT_EQ(hit.size(), 3U);
  const auto* failed = std::get_if<JobFailed>(&rig.job("poison").state);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->failure.cls, FailureClass::kLost);
  EXPECT_THAT(failed->failure.message,
              AllOf(HasSubstr("gave up after 3 attempts"), HasSubstr("attempt 1 on w"),
                    HasSubstr("attempt 3 on w")));
  rig.Submit("healthy", FarmRig::Spec({"linux/amd64"}, "healthy"));
  EXPECT_THAT(rig.last(), Contains(HasSubstr("offer healthy-amd64-1")));
}

TEST(Restart, RunningAttemptsWaitForTheirWorkersAndAreNotBuiltAgain) {
  FarmRig before;
  before.Join("a", 1, {"linux/amd64"});
  before.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  before.Accept(1, "j1-amd64-1");

  FarmRig after(before.Stored());
  EXPECT_THAT(after.last(), IsEmpty());
  after.Pass(absl::Seconds(30));
  WorkerHello hello = FarmRig::HelloOf("a", 7, {"linux/amd64"});
  hello.running = {{"j1-amd64-1", Phase::kBuilding}};
  EXPECT_THAT(after.Do(hello), ElementsAre("greet 7, j1-amd64-1 go on"));
  after.Push(7, "j1-amd64-1");
  EXPECT_THAT(after.Checked("j1-amd64-1"), Contains(HasSubstr("publish j1")));
}

TEST(Restart, AWorkerThatDoesNotComeBackLosesItsAttempts) {
  FarmRig before;
  before.Join("a", 1, {"linux/amd64"});
  before.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  before.Accept(1, "j1-amd64-1");

  FarmRig after(before.Stored());
  after.Join("b", 2, {"linux/amd64"});
  EXPECT_THAT(after.Pass(absl::Seconds(65), {2}), Contains("offer j1-amd64-2 to 2"));
}

TEST(Restart, WhatWasBeingCheckedAndPublishedIsTakenUp) {
  FarmRig before;
  before.Join("a", 1, {"linux/amd64"}, 2);
  before.Submit("j1", FarmRig::Spec({"linux/amd64"}, "v1"));
  before.Build(1, "j1-amd64-1");
  before.Submit("j2", FarmRig::Spec({"linux/amd64"}, "v2"));
  before.Accept(1, "j2-amd64-1");
  before.Push(1, "j2-amd64-1");

  FarmRig after(before.Stored());
  EXPECT_THAT(after.last(),
              ElementsAre("publish j1 linux/amd64=sha256:j1-amd64-1", "check j2-amd64-1"));
}

TEST(Restart, GenerationsGoOnRising) {
  FarmRig before;
  before.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  FarmRig after(before.Stored());
  after.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  EXPECT_GT(after.job("j2").generation, after.job("j1").generation);
}

TEST(Workers, AHeartbeatShowsWhenAWorkerWasLastHeardAndIsNotWorthASync) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  rig.Pass(absl::Seconds(10));
  Effects effects;
  const absl::Time wall = rig.wall();
  rig.farm().Step(WorkerHeard{1}, {wall, wall - absl::Hours(5)}, effects);
  EXPECT_TRUE(effects.workers_shown.contains("w"));
  EXPECT_FALSE(effects.NeedsCommit());
  EXPECT_EQ(rig.farm().FindWorker("w")->last_seen_at, wall);
}

}  // namespace
}  // namespace manyarch::controller::core
