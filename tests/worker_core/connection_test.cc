#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker_core/rig.h"

namespace manyarch::worker::core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;

TEST(WorkerConnection, DialsAtOnceAndSaysHelloFirst) {
  Rig rig;
  EXPECT_THAT(rig.Do(Tick{}), ElementsAre("dial 1"));
  EXPECT_THAT(rig.Do(Tick{}), IsEmpty());
  EXPECT_THAT(rig.Do(Connected{1}), ElementsAre("hello 1 []"));
  EXPECT_THAT(rig.Do(HelloAnswered{1, 3, absl::Seconds(5), {}}), IsEmpty());
  EXPECT_EQ(std::get<InSession>(rig.worker.connection()).epoch, 3);
}

TEST(WorkerConnection, HeartbeatsAtTheControllersInterval) {
  Rig rig;
  rig.Join();
  for (int i = 1; i <= 3; ++i) {
    EXPECT_THAT(rig.Pass(absl::Milliseconds(4999)), IsEmpty());
    EXPECT_THAT(rig.Pass(absl::Milliseconds(1)), ElementsAre(absl::StrCat("heartbeat ", i)));
    rig.Do(HeartbeatAnswered{rig.connection, i});
  }
}

TEST(WorkerConnection, DropsASilentConnectionAndDialsAgain) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Pass(absl::Seconds(19)),
              ElementsAre("heartbeat 1", "heartbeat 2", "heartbeat 3"));
  EXPECT_THAT(rig.Pass(absl::Seconds(3)), ElementsAre("drop 1", "dial 2"));
}

TEST(WorkerConnection, AWorkerThatOffersSomethingElseSaysHelloAnewAtOnce) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Do(DescriptionChanged{}), ElementsAre("drop 1"));
  EXPECT_THAT(rig.Do(Disconnected{1, "cancelled", false}), IsEmpty());
  EXPECT_THAT(rig.Do(Tick{}), ElementsAre("dial 2"));
  EXPECT_THAT(rig.Do(Connected{2}), ElementsAre("hello 2 []"));
}

TEST(WorkerConnection, WithoutAConnectionANewDescriptionWaitsForTheNextHello) {
  Rig rig;
  rig.Join();
  rig.Do(Disconnected{1, "the controller is gone", false});
  EXPECT_THAT(rig.Do(DescriptionChanged{}), IsEmpty());
}

TEST(WorkerConnection, ALongHeartbeatIntervalStretchesTheSilenceLimit) {
  Rig rig;
  rig.Do(Tick{});
  rig.Do(Connected{1});
  rig.Do(HelloAnswered{1, 1, absl::Seconds(30), {}});
  EXPECT_THAT(rig.Pass(absl::Seconds(89)), ElementsAre("heartbeat 1", "heartbeat 2"));
  EXPECT_THAT(rig.Pass(absl::Seconds(1)), Contains("drop 1"));
}

TEST(WorkerConnection, AHelloThatIsNotAnsweredCountsAsSilence) {
  Rig rig;
  rig.Do(Tick{});
  rig.Do(Connected{1});
  EXPECT_THAT(rig.Pass(absl::Seconds(19)), IsEmpty());
  EXPECT_THAT(rig.Pass(absl::Seconds(1)), ElementsAre("drop 1"));
}

TEST(WorkerConnection, RedialsNeverWaitLongerThanTwoSeconds) {
  Rig rig;
  for (int i = 1; i < 50; ++i) {
    ASSERT_THAT(rig.Pass(absl::Seconds(2)), ElementsAre(absl::StrCat("dial ", i)));
    rig.Do(Disconnected{i, "connection refused", false});
    ASSERT_GT(rig.worker.NextDeadline(), rig.now);
  }
}

TEST(WorkerConnection, ARefusalIsRetriedUnhurried) {
  Rig rig;
  rig.Do(Tick{});
  rig.Do(Disconnected{1, "protocol version 9 is wanted", true});
  EXPECT_THAT(rig.Pass(absl::Seconds(4)), IsEmpty());
  EXPECT_THAT(rig.Pass(absl::Seconds(6)), ElementsAre("dial 2"));
}

TEST(WorkerConnection, IgnoresWhatAnEarlierConnectionStillSays) {
  Rig rig;
  rig.Join();
  rig.Cut();
  rig.Join();
  ASSERT_EQ(rig.connection, 2);
  EXPECT_THAT(rig.Do(Offered{1, "a", "order", ""}), IsEmpty());
  EXPECT_THAT(rig.Do(Disconnected{1, "late news", false}), IsEmpty());
  EXPECT_THAT(rig.Do(HelloAnswered{1, 9, absl::Seconds(5), {}}), IsEmpty());
  EXPECT_THAT(rig.Offer("b"), Contains("accept b"));
  EXPECT_THAT(rig.Do(Abandoned{1, "b", ""}), IsEmpty());
}

TEST(WorkerConnection, TheHelloTellsAllThatRunsAndAllThatIsNotAcknowledged) {
  Rig rig({.slots = 2}, {{"old", "image", 5}});
  rig.Join();
  rig.Offer("a");
  rig.Offer("b");
  rig.Do(AttemptStateChanged{"a", Phase::kBuilding});
  rig.Finish("b", "image");
  rig.Cut();
  rig.Pass(absl::Seconds(2));
  EXPECT_THAT(rig.Do(Connected{2}), ElementsAre("hello 2 [a:building b=image old=image]"));
}

TEST(WorkerConnection, AResultThatCameBetweenHelloAndAnswerIsSentAfterIt) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  rig.Pass(absl::Seconds(2));
  rig.Do(Connected{2});
  EXPECT_THAT(rig.Finish("a", "image"), ElementsAre("keep a=image"));
  EXPECT_THAT(rig.Do(HelloAnswered{2, 1, absl::Seconds(5), {{"a", Verdict::kGoOn, 4}}}),
              ElementsAre("log a from 4", "finished a=image"));
}

TEST(WorkerConnection, VerdictsAreCarriedOut) {
  struct Row {
    const char* what;
    bool finished;
    Verdict verdict;
    Lines effects;
    int64_t log_offset = 6;  // Of 10.
  };
  const Row rows[] = {
      {"running, go on", false, Verdict::kGoOn, {"log a from 6"}},
      {"running, abandon", false, Verdict::kAbandon, {"stop a"}},
      {"running, acknowledged", false, Verdict::kAcknowledged, {"stop a"}},
      {"finished, go on", true, Verdict::kGoOn, {"log a from 6", "finished a=image"}},
      {"finished, abandon", true, Verdict::kAbandon, {"finished a=image"}},
      {"finished, acknowledged", true, Verdict::kAcknowledged, {"forget a"}, 10},
      {"finished, acknowledged without all of its log",
       true,
       Verdict::kAcknowledged,
       {"log a from 6", "finished a=image"}},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.what);
    Rig rig;
    rig.Join();
    rig.Offer("a");
    if (row.finished) rig.Finish("a", "image");
    rig.Cut();
    EXPECT_EQ(rig.Join({{"a", row.verdict, row.log_offset}}), row.effects);
  }
}

TEST(WorkerConnection, AMissingVerdictMeansGoOn) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  EXPECT_THAT(rig.Join(), ElementsAre("log a from 0"));
}

TEST(WorkerConnection, AnAttemptAbandonedByVerdictIsReportedGone) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  rig.Join({{"a", Verdict::kAbandon, 0}});
  EXPECT_THAT(rig.Offer("b"), ElementsAre("refuse b: all slots are busy (1)"));
  EXPECT_THAT(rig.Finish("a", ""), ElementsAre("keep a=nothing", "finished a=nothing"));
  EXPECT_THAT(rig.Offer("b"), Contains("accept b"));
}

TEST(WorkerConnection, ABlipStopsNothing) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  for (int i = 0; i < 20; ++i) {
    EXPECT_THAT(rig.Cut(), IsEmpty());
    EXPECT_THAT(rig.Pass(absl::Minutes(4)), Not(Contains("stop a")));
    // The pass left a dial without answer; each counts as silence and is dropped.
    rig.connection = std::get_if<Dialing>(&rig.worker.connection())
                         ? std::get<Dialing>(rig.worker.connection()).connection
                         : rig.connection;
    rig.Do(Disconnected{rig.connection, "refused", false});
    EXPECT_THAT(rig.Join({{"a", Verdict::kGoOn, 0}}), ElementsAre("log a from 0"));
  }
}

TEST(WorkerConnection, CutOffTooLongItStopsWhatRunsAndReportsItLater) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  rig.Cut();
  EXPECT_THAT(rig.Pass(absl::Minutes(119)), Not(Contains("stop a")));
  EXPECT_THAT(rig.Pass(absl::Minutes(2)), Contains("stop a"));
  EXPECT_THAT(rig.Finish("a", ""), ElementsAre("keep a=nothing"));
  rig.Pass(absl::Minutes(1));
  while (!std::holds_alternative<Dialing>(rig.worker.connection())) rig.Pass(absl::Seconds(1));
  const ConnectionId c = std::get<Dialing>(rig.worker.connection()).connection;
  EXPECT_THAT(rig.Do(Connected{c}), ElementsAre(absl::StrCat("hello ", c, " [a=nothing]")));
}

}  // namespace
}  // namespace manyarch::worker::core
