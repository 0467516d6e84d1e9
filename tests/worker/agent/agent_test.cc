#include "worker/agent.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <random>

#include "absl/cleanup/cleanup.h"
#include "absl/synchronization/notification.h"
#include "common/base/digest.h"
#include "common/os/files.h"
#include "tests/support/fake_controller.h"
#include "tests/worker/agent/farm_hand.h"

namespace manyarch::worker {
namespace {

using testing::IsEmpty;
using Seen = FakeController::Seen;

v1::Offer MakeOffer(const std::string& id) {
  v1::Offer offer;
  offer.set_attempt_id(id);
  offer.set_repository("127.0.0.1:5000/demo/hello");
  offer.mutable_platform()->set_os("linux");
  offer.mutable_platform()->set_arch("arm64");
  offer.mutable_registry()->set_authfile("the-secret-of-the-registry");
  return offer;
}

class AgentTest : public testing::Test {
 protected:
  AgentTest() : dir_(*TempDir::Make("agent-test-")) {}

  std::string state() const { return dir_.path() + "/state"; }
  std::string AttemptDir(const std::string& id) const { return state() + "/attempts/" + id; }

  static bool InSession(const Seen& seen) { return seen.sessions_open == 1; }

  TempDir dir_;
};

// Output of about `size` bytes that differs everywhere, given to the observer in uneven pieces.
std::string Chatter(AttemptObserver& observer, size_t size, uint32_t seed) {
  std::mt19937 random(seed);
  std::string all;
  while (all.size() < size) {
    std::string piece;
    const size_t n = 1 + random() % 20'000;
    for (size_t i = 0; i < n; ++i) piece.push_back(static_cast<char>(random()));
    observer.OnOutput(piece);
    all += piece;
  }
  return all;
}

TEST_F(AgentTest, AnOfferIsAcceptedRunReportedAndForgottenOnceAcknowledged) {
  FakeController controller;
  FakeRunner runner([](const AttemptContext& attempt, AttemptObserver& observer, const StopToken&) {
    EXPECT_TRUE(PathExists(attempt.attempt_dir));
    observer.OnState(v1::ATTEMPT_STATE_FETCHING);
    observer.OnState(v1::ATTEMPT_STATE_BUILDING);
    observer.OnOutput("STEP 1/1: FROM scratch\n");
    observer.OnState(v1::ATTEMPT_STATE_PUSHING);
    return FakeRunner::Pushed();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.finished.size() == 1; }));
  hand->Drain();  // Ends only when the acknowledgement has come.
  EXPECT_TRUE(hand.Join().ok());

  const Seen seen = controller.seen();
  ASSERT_EQ(seen.answers.size(), 1u);
  EXPECT_TRUE(seen.answers[0].accepted());
  EXPECT_EQ(seen.progress.size(), 3u);
  EXPECT_EQ(seen.finished[0].attempt_id(), "a-1");
  EXPECT_EQ(seen.finished[0].image().digest(), "sha256:" + std::string(64, 'a'));
  EXPECT_EQ(seen.logs.at("a-1"), "STEP 1/1: FROM scratch\n");
  EXPECT_THAT(seen.faults, IsEmpty());
  EXPECT_FALSE(PathExists(AttemptDir("a-1")));
  EXPECT_EQ(runner.cleaned_up, state() + "/attempts");
}

TEST_F(AgentTest, AResultIsReportedBeforeCachesArePrunedAndAWorkerThatEndsDoesNotWaitForThat) {
  FakeController controller;
  FakeRunner runner;
  absl::Notification cut_short;
  runner.prune = [&](const StopToken& stop) {
    if (stop.WaitFor(absl::Minutes(5))) cut_short.Notify();
  };
  {
    FarmHand hand(controller.address(), state(), &runner);
    ASSERT_TRUE(controller.WaitUntil(InSession));
    controller.Offer(MakeOffer("a-1"));
    ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.finished.size() == 1; }));
    EXPECT_FALSE(cut_short.HasBeenNotified());
    hand->Drain();
    EXPECT_TRUE(hand.Join().ok());
  }
  EXPECT_TRUE(cut_short.HasBeenNotified());
}

TEST_F(AgentTest, TheNextAttemptOfASlotCutsItsPruneShort) {
  FakeController controller;
  FakeRunner runner;
  std::atomic<int> cut_short = 0;
  runner.prune = [&](const StopToken& stop) {
    if (stop.WaitFor(absl::Minutes(5))) ++cut_short;
  };
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  for (int i = 1; i <= 3; ++i) {
    controller.Offer(MakeOffer("a-" + std::to_string(i)));
    ASSERT_TRUE(controller.WaitUntil(
        [i](const Seen& s) { return s.finished.size() == static_cast<size_t>(i); }));
    EXPECT_EQ(cut_short, i - 1);  // By now the next prune has been reached, at most.
  }
  EXPECT_THAT(controller.seen().faults, IsEmpty());
}

TEST_F(AgentTest, AnAttemptIsCancelledAtOnceThoughItsSlotIsStillPruning) {
  FakeController controller;
  FakeRunner runner;
  absl::Notification over;  // Of what a prune does not stop in the middle of.
  runner.prune = [&](const StopToken&) { over.WaitForNotification(); };
  FarmHand hand(controller.address(), state(), &runner);
  const absl::Cleanup let_go = [&] { over.Notify(); };
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.finished.size() == 1; }));
  controller.Offer(MakeOffer("b-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.answers.size() == 2; }));
  controller.Abandon("b-1", "the job was cancelled");
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.finished.size() == 2; }));
  const Seen seen = controller.seen();
  EXPECT_TRUE(seen.answers[1].accepted());
  EXPECT_EQ(seen.finished[1].attempt_id(), "b-1");
  EXPECT_TRUE(seen.finished[1].has_cancelled());
  EXPECT_THAT(seen.faults, IsEmpty());
}

TEST_F(AgentTest, ANewDescriptionIsToldWithoutDisturbingWhatRuns) {
  FakeController controller;
  absl::Notification told;
  FakeRunner runner([&](const AttemptContext&, AttemptObserver&, const StopToken&) {
    told.WaitForNotificationWithTimeout(absl::Minutes(1));
    return FakeRunner::Pushed();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& seen) { return seen.answers.size() == 1; }));
  v1::WorkerDescription description;
  description.set_name("hand");
  v1::Platform& platform = *description.add_platforms()->mutable_platform();
  platform.set_os("linux");
  platform.set_arch("riscv64");
  hand->SetDescription(description);
  ASSERT_TRUE(controller.WaitUntil([](const Seen& seen) { return seen.hellos.size() == 2; }));
  told.Notify();
  ASSERT_TRUE(controller.WaitUntil([](const Seen& seen) { return seen.finished.size() == 1; }));

  const Seen seen = controller.seen();
  EXPECT_EQ(seen.hellos[1].worker().id(), seen.hellos[0].worker().id());
  EXPECT_EQ(seen.hellos[1].worker().slots(), seen.hellos[0].worker().slots());
  ASSERT_EQ(seen.hellos[1].worker().platforms().size(), 1);
  EXPECT_EQ(seen.hellos[1].worker().platforms(0).platform().arch(), "riscv64");
  ASSERT_EQ(seen.hellos[1].running().size(), 1);
  EXPECT_EQ(seen.hellos[1].running(0).attempt_id(), "a-1");
  EXPECT_TRUE(seen.finished[0].has_image());
  EXPECT_THAT(seen.faults, IsEmpty());
}

TEST_F(AgentTest, LogsAreWholeWhenTheConnectionIsCutAgainAndAgain) {
  FakeController controller({.cut_after = 700'000, .ack_each = 200'000});
  absl::Mutex mutex;
  std::map<std::string, std::string> said;
  FakeRunner runner(
      [&](const AttemptContext& attempt, AttemptObserver& observer, const StopToken&) {
        const std::string all = Chatter(observer, 3'000'000, static_cast<uint32_t>(attempt.slot));
        absl::MutexLock lock(&mutex);
        said[attempt.offer.attempt_id()] = all;
        return FakeRunner::Pushed();
      });
  FarmHand hand(controller.address(), state(), &runner, {.slots = 2});
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  controller.Offer(MakeOffer("b-1"));
  const auto finished = [](const std::string& id) {
    return [id](const Seen& seen) {
      for (const v1::Finished& f : seen.finished) {
        if (f.attempt_id() == id) return true;
      }
      return false;
    };
  };
  ASSERT_TRUE(controller.WaitUntil(finished("a-1")));
  ASSERT_TRUE(controller.WaitUntil(finished("b-1")));
  hand->Drain();
  EXPECT_TRUE(hand.Join().ok());

  const Seen seen = controller.seen();
  EXPECT_THAT(seen.faults, IsEmpty());
  EXPECT_GE(seen.hellos.size(), 8u);
  absl::MutexLock lock(&mutex);
  for (const auto& [id, text] : said) EXPECT_EQ(Digest::Of(seen.logs.at(id)), Digest::Of(text));
}

TEST_F(AgentTest, LogsAreWholeWhenTheBuildEndsWhileTheConnectionIsCut) {
  FakeController controller({.heartbeat = absl::Milliseconds(50)});
  std::string said;
  FakeRunner runner([&](const AttemptContext&, AttemptObserver& observer, const StopToken&) {
    said = Chatter(observer, 4'000'000, 7);
    return FakeRunner::Pushed();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  for (size_t cut = 1; cut <= 4; ++cut) {
    ASSERT_TRUE(controller.WaitUntil([&](const Seen& s) {
      const auto log = s.logs.find("a-1");
      return !s.finished.empty() ||
             (log != s.logs.end() && log->second.size() > cut * 600'000 && s.sessions_open == 1);
    }));
    controller.CutSession();
  }
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.finished.empty(); }));
  hand->Drain();
  EXPECT_TRUE(hand.Join().ok());
  const Seen seen = controller.seen();
  EXPECT_EQ(Digest::Of(seen.logs.at("a-1")), Digest::Of(said));
  EXPECT_THAT(seen.faults, IsEmpty());
}

TEST_F(AgentTest, AnAbandonedAttemptIsStoppedAndReportedCancelled) {
  FakeController controller;
  FakeRunner runner([](const AttemptContext&, AttemptObserver& observer, const StopToken& stop) {
    observer.OnState(v1::ATTEMPT_STATE_BUILDING);
    EXPECT_TRUE(stop.WaitFor(absl::Minutes(1)));
    EXPECT_EQ(stop.reason(), "cancelled by its owner");
    return FakeRunner::Cancelled();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.progress.empty(); }));
  controller.Abandon("a-1", "cancelled by its owner");
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.finished.empty(); }));
  EXPECT_TRUE(controller.seen().finished[0].has_cancelled());
}

TEST_F(AgentTest, ADrainingWorkerFinishesWhatRunsAndTakesNothingNew) {
  FakeController controller;
  std::atomic<bool> may_finish = false;
  FakeRunner runner([&](const AttemptContext&, AttemptObserver& observer, const StopToken& stop) {
    observer.OnState(v1::ATTEMPT_STATE_BUILDING);
    while (!may_finish && !stop.WaitFor(absl::Milliseconds(5))) {
    }
    return FakeRunner::Pushed();
  });
  FarmHand hand(controller.address(), state(), &runner, {.slots = 2});
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.progress.empty(); }));
  hand->Drain();
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.drains.empty(); }));
  controller.Offer(MakeOffer("b-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.answers.size() == 2; }));
  EXPECT_FALSE(controller.seen().answers[1].accepted());
  EXPECT_EQ(controller.seen().answers[1].reason(), "the worker is draining");
  may_finish = true;
  EXPECT_TRUE(hand.Join().ok());
  EXPECT_TRUE(controller.seen().finished.at(0).has_image());
}

TEST_F(AgentTest, HandingBackStopsWhatRunsAndNamesIt) {
  FakeController controller;
  FakeRunner runner([](const AttemptContext&, AttemptObserver& observer, const StopToken& stop) {
    observer.OnState(v1::ATTEMPT_STATE_BUILDING);
    EXPECT_TRUE(stop.WaitFor(absl::Minutes(1)));
    return FakeRunner::Cancelled();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.progress.empty(); }));
  hand->Drain();
  hand->HandBack();
  EXPECT_TRUE(hand.Join().ok());
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return s.drains.size() == 2; }));
  EXPECT_THAT(controller.seen().drains[1].hand_back(), testing::ElementsAre("a-1"));
  EXPECT_FALSE(PathExists(AttemptDir("a-1")));
}

TEST_F(AgentTest, AResultThatWasNotAcknowledgedIsReportedAfterARestart) {
  FakeController controller({.acknowledge_results = false});
  FakeRunner runner([](const AttemptContext&, AttemptObserver& observer, const StopToken&) {
    observer.OnOutput("all of the log");
    return FakeRunner::Pushed();
  });
  {
    FarmHand hand(controller.address(), state(), &runner);
    ASSERT_TRUE(controller.WaitUntil(InSession));
    controller.Offer(MakeOffer("a-1"));
    ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.finished.empty(); }));
    hand->HandBack();
    EXPECT_TRUE(hand.Join().ok());
  }
  FakeController other;  // Has never heard of it, nor seen its log.
  FarmHand hand(other.address(), state(), &runner);
  ASSERT_TRUE(other.WaitUntil([](const Seen& s) { return s.finished.size() == 1; }));
  const Seen seen = other.seen();
  ASSERT_EQ(seen.hellos[0].finished_size(), 1);
  EXPECT_EQ(seen.hellos[0].finished(0).attempt_id(), "a-1");
  EXPECT_EQ(seen.hellos[0].worker().id(), controller.seen().hellos[0].worker().id());
  EXPECT_NE(seen.hellos[0].incarnation(), controller.seen().hellos[0].incarnation());
  EXPECT_EQ(seen.finished[0].image().digest(), "sha256:" + std::string(64, 'a'));
  EXPECT_EQ(seen.logs.at("a-1"), "all of the log");
  hand->Drain();
  EXPECT_TRUE(hand.Join().ok());
  EXPECT_FALSE(PathExists(AttemptDir("a-1")));
}

TEST_F(AgentTest, TheRegistrysCredentialsReachTheRunnerAndNotTheDisk) {
  FakeController controller;
  std::atomic<bool> looked = false;
  FakeRunner runner([&](const AttemptContext& attempt, AttemptObserver&, const StopToken&) {
    EXPECT_EQ(attempt.offer.registry().authfile(), "the-secret-of-the-registry");
    const auto kept = ReadFile(attempt.attempt_dir + "/offer.pb");
    EXPECT_TRUE(kept.ok());
    if (kept.ok()) {
      EXPECT_EQ(kept->find("the-secret"), std::string::npos);
    }
    looked = true;
    return FakeRunner::Pushed();
  });
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("a-1"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.finished.empty(); }));
  EXPECT_TRUE(looked);
}

TEST_F(AgentTest, AWorkerMayStartBeforeItsController) {
  int port = 0;
  { port = FakeController().port(); }
  FakeRunner runner;
  FarmHand hand("127.0.0.1:" + std::to_string(port), state(), &runner);
  FakeController controller(port);
  EXPECT_TRUE(controller.WaitUntil(InSession));
}

TEST_F(AgentTest, AControllerThatFallsSilentIsDialledAgain) {
  FakeController controller({.heartbeat = absl::Milliseconds(20), .answer_heartbeats = false});
  FakeRunner runner;
  FarmHand hand(controller.address(), state(), &runner, {.silence_limit = absl::Milliseconds(100)});
  EXPECT_TRUE(controller.WaitUntil([](const Seen& s) { return s.hellos.size() >= 3; }));
}

TEST_F(AgentTest, AnAttemptThatCannotStartFailsWithTheReason) {
  FakeController controller;
  FakeRunner runner;
  FarmHand hand(controller.address(), state(), &runner);
  ASSERT_TRUE(controller.WaitUntil(InSession));
  controller.Offer(MakeOffer("../escape"));
  ASSERT_TRUE(controller.WaitUntil([](const Seen& s) { return !s.finished.empty(); }));
  const v1::Failure failure = controller.seen().finished[0].failure();
  EXPECT_EQ(failure.class_(), v1::FAILURE_CLASS_INFRASTRUCTURE);
  EXPECT_THAT(failure.message(), testing::HasSubstr("cannot be an attempt's id"));
  EXPECT_FALSE(PathExists(state() + "/escape"));
}

}  // namespace
}  // namespace manyarch::worker
