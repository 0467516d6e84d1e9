#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker_core/rig.h"

namespace manyarch::worker::core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(WorkerAttempts, AnOfferIsWrittenDownBeforeItIsAccepted) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Offer("a"), ElementsAre("start a in 0", "accept a", "log a from 0"));
}

TEST(WorkerAttempts, ARepeatedOfferIsAcceptedAgainAndStartsNothing) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Offer("a"), ElementsAre("accept a"));
  rig.Finish("a", "image");
  EXPECT_THAT(rig.Offer("a"), ElementsAre("accept a", "finished a=image"));
}

TEST(WorkerAttempts, AnOfferWithoutAFreeSlotIsRefusedWithTheReason) {
  Rig rig({.slots = 2});
  rig.Join();
  rig.Offer("a");
  EXPECT_EQ(rig.worker.FreeSlots(), 1);
  rig.Offer("b");
  EXPECT_THAT(rig.Offer("c"), ElementsAre("refuse c: all slots are busy (2)"));
}

TEST(WorkerAttempts, TheSlotIsFreeAsSoonAsTheAttemptIsOver) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image", "finished a=image"));
  EXPECT_THAT(rig.Offer("b"), ElementsAre("start b in 0", "accept b", "log b from 0"));
}

TEST(WorkerAttempts, LikeAttemptsGoToTheSlotThatHasTheirCaches) {
  Rig rig({.slots = 3});
  rig.Join();
  EXPECT_THAT(rig.Offer("a", "amd64"), Contains("start a in 0"));
  EXPECT_THAT(rig.Offer("b", "arm64"), Contains("start b in 1"));
  rig.Finish("a", "image");
  rig.Finish("b", "image");
  EXPECT_THAT(rig.Offer("c", "arm64"), Contains("start c in 1"));
  EXPECT_THAT(rig.Offer("d", "s390x"), Contains("start d in 2"));
  EXPECT_THAT(rig.Offer("e", "s390x"), Contains("start e in 0"));
}

TEST(WorkerAttempts, ASlotIsKnownByAllThatItRanNotByTheLastAlone) {
  Rig rig({.slots = 3});
  rig.Join();
  const auto run = [&](const std::string& id, const std::string& affinity) {
    const auto lines = rig.Offer(id, affinity);
    rig.Finish(id, "image");
    return lines.at(0);
  };
  rig.Offer("busy", "arm64 reg/x");
  EXPECT_EQ(run("a", "amd64 reg/app"), "start a in 1");
  EXPECT_EQ(run("b", "arm64 reg/app"), "start b in 2");
  EXPECT_EQ(run("c", "amd64 reg/app"), "start c in 1");
  // The store for arm64 in slot 2 has what arm64 builds share; slot 1 has none.
  EXPECT_EQ(run("d", "arm64 reg/lib"), "start d in 2");
  EXPECT_EQ(run("e", "arm64 reg/app"), "start e in 2");
  EXPECT_EQ(run("f", "s390x reg/app"), "start f in 1");
  EXPECT_EQ(run("g", "amd64 reg/app"), "start g in 1");
  rig.Finish("busy", "image");
  EXPECT_EQ(run("h", "arm64 reg/x"), "start h in 0");
}

TEST(WorkerAttempts, ProgressIsToldWhileThereIsASession) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(AttemptStateChanged{"a", Phase::kFetching}),
              ElementsAre("progress a fetching"));
  rig.Cut();
  EXPECT_THAT(rig.Do(AttemptStateChanged{"a", Phase::kBuilding}), IsEmpty());
  EXPECT_THAT(rig.Do(AttemptStateChanged{"nobody", Phase::kBuilding}), IsEmpty());
}

TEST(WorkerAttempts, AResultIsRepeatedOnEachConnectionUntilAcknowledged) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Finish("a", "image");
  for (int i = 0; i < 3; ++i) {
    rig.Cut();
    EXPECT_THAT(rig.Join({{"a", Verdict::kGoOn, 10}}),
                ElementsAre("log a from 10", "finished a=image"));
  }
  EXPECT_THAT(rig.Do(Acknowledged{rig.connection, "a"}), ElementsAre("forget a"));
  EXPECT_THAT(rig.Do(Acknowledged{rig.connection, "a"}), IsEmpty());
  rig.Cut();
  EXPECT_THAT(rig.Join(), IsEmpty());
}

TEST(WorkerAttempts, AResultFoundWhileCutOffIsKept) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image"));
}

TEST(WorkerAttempts, AnAcknowledgementOfARunningAttemptIsIgnored) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(Acknowledged{rig.connection, "a"}), IsEmpty());
}

TEST(WorkerAttempts, AbandonStopsAndThenReports) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(Abandoned{rig.connection, "a", "cancelled"}), ElementsAre("stop a"));
  EXPECT_THAT(rig.Do(Abandoned{rig.connection, "a", "cancelled"}), IsEmpty());
  EXPECT_THAT(rig.Finish("a", ""), ElementsAre("keep a=nothing", "finished a=nothing"));
}

TEST(WorkerAttempts, AnAttemptThatEndsBeforeItIsAbandonedKeepsItsResult) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Do(Abandoned{rig.connection, "a", "cancelled"});
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image", "finished a=image"));
  EXPECT_THAT(rig.Do(Abandoned{rig.connection, "a", "cancelled"}), ElementsAre("finished a=image"));
}

TEST(WorkerAttempts, AbandoningAnUnknownAttemptIsAnsweredThatNothingIsLeft) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Do(Abandoned{rig.connection, "ghost", ""}),
              ElementsAre("finished ghost=nothing"));
}

TEST(WorkerAttempts, LogAcknowledgementsReachTheLogOfKnownAttempts) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(LogAcked{rig.connection, "a", 5}), ElementsAre("log a acked 5"));
  EXPECT_THAT(rig.Do(LogAcked{rig.connection, "b", 5}), IsEmpty());
}

}  // namespace
}  // namespace manyarch::worker::core
