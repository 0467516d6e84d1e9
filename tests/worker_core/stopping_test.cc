#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker_core/rig.h"

namespace manyarch::worker::core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(WorkerStopping, AnIdleWorkerDrainsAtOnce) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Do(DrainRequested{}), ElementsAre("drain []", "exit"));
  EXPECT_THAT(rig.Do(Tick{}), IsEmpty());
  EXPECT_EQ(rig.worker.NextDeadline(), absl::InfiniteFuture());
}

TEST(WorkerStopping, ADrainFinishesWhatRunsAndWaitsForTheAcknowledgement) {
  Rig rig({.slots = 2});
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(DrainRequested{}), ElementsAre("drain []"));
  EXPECT_THAT(rig.Do(DrainRequested{}), IsEmpty());
  EXPECT_THAT(rig.Offer("b"), ElementsAre("refuse b: the worker is draining"));
  EXPECT_THAT(rig.Offer("a"), ElementsAre("accept a"));
  EXPECT_THAT(rig.Pass(absl::Seconds(10)), ElementsAre("heartbeat 1", "heartbeat 2"));
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image", "finished a=image"));
  EXPECT_THAT(rig.Do(Acknowledged{rig.connection, "a"}), ElementsAre("forget a", "exit"));
}

TEST(WorkerStopping, ADrainingWorkerSaysSoWhenItReconnects) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Do(DrainRequested{});
  rig.Cut();
  rig.Pass(absl::Seconds(2));
  EXPECT_THAT(rig.Do(Connected{2}), ElementsAre("hello 2 [a:accepted] draining"));
}

TEST(WorkerStopping, ADrainThatTakesTooLongBecomesAHandBack) {
  Rig rig({.drain_timeout = absl::Seconds(15)});
  rig.Join();
  rig.Offer("a");
  rig.Do(DrainRequested{});
  EXPECT_THAT(rig.Pass(absl::Seconds(14)), Not(Contains("stop a")));
  const Lines lines = rig.Pass(absl::Seconds(1));
  EXPECT_THAT(lines, Contains("drain [a]"));
  EXPECT_THAT(lines, Contains("stop a"));
  EXPECT_THAT(rig.Finish("a", ""), ElementsAre("forget a", "exit"));
}

TEST(WorkerStopping, WithoutAControllerADrainEndsAtItsTimeoutAndKeepsResults) {
  Rig rig({.drain_timeout = absl::Minutes(1)}, {{"old", "image", 5}});
  EXPECT_THAT(rig.Do(DrainRequested{}), IsEmpty());
  const Lines lines = rig.Pass(absl::Minutes(1));
  EXPECT_THAT(lines, Contains("exit"));
  EXPECT_THAT(lines, Not(Contains("forget old")));
}

TEST(WorkerStopping, HandingBackTellsStopsAndExits) {
  Rig rig({.slots = 2});
  rig.Join();
  rig.Offer("a");
  rig.Offer("b");
  rig.Do(DrainRequested{});
  EXPECT_THAT(rig.Do(HandBackRequested{}), ElementsAre("drain [a b]", "stop a", "stop b"));
  EXPECT_THAT(rig.Do(HandBackRequested{}), IsEmpty());
  EXPECT_THAT(rig.Offer("a"), ElementsAre("refuse a: this attempt is being stopped here"));
  EXPECT_THAT(rig.Finish("a", ""), ElementsAre("forget a"));
  EXPECT_THAT(rig.Finish("b", ""), ElementsAre("forget b", "exit"));
}

TEST(WorkerStopping, AHandBackWithoutADrainFirstWorksToo) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(HandBackRequested{}), ElementsAre("drain [a]", "stop a"));
}

TEST(WorkerStopping, AHandedBackAttemptThatWasOverAlreadyIsReported) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Do(HandBackRequested{});
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image", "finished a=image", "exit"));
}

TEST(WorkerStopping, AHandBackIsToldAgainOnANewSession) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  EXPECT_THAT(rig.Do(HandBackRequested{}), ElementsAre("stop a"));
  EXPECT_THAT(rig.Join({{"a", Verdict::kGoOn, 0}}), ElementsAre("log a from 0", "drain [a]"));
}

}  // namespace
}  // namespace manyarch::worker::core
