#include "worker/link/outbox.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "common/os/files.h"

namespace manyarch::worker::link {
namespace {

class OutboxTest : public testing::Test {
 protected:
  OutboxTest() : dir_(*TempDir::Make("outbox-")) {}

  std::shared_ptr<LogSpool> Log(const std::string& id, size_t size) {
    auto spool = *LogSpool::Open(dir_.path() + "/" + id);
    spool->Append(std::string(size, 'x'));
    return spool;
  }
  static v1::WorkerMessage Heartbeat(int64_t sequence) {
    v1::WorkerMessage message;
    message.mutable_heartbeat()->set_sequence(sequence);
    return message;
  }
  static v1::Finished Finished(const std::string& id, int64_t log_size) {
    v1::Finished finished;
    finished.set_attempt_id(id);
    finished.set_log_size(log_size);
    return finished;
  }
  // All that can be sent now: "log a 0+4" and the like.
  static std::vector<std::string> Drain(Outbox& outbox) {
    outbox.Close(/*flush=*/true);
    std::vector<std::string> all;
    while (auto m = outbox.Next()) {
      if (m->has_heartbeat()) all.push_back("heartbeat");
      if (m->has_finished()) all.push_back("finished " + m->finished().attempt_id());
      if (m->has_log()) {
        all.push_back("log " + m->log().attempt_id() + " " + std::to_string(m->log().offset()) +
                      "+" + std::to_string(m->log().data().size()));
      }
    }
    return all;
  }

  TempDir dir_;
};

using testing::ElementsAre;
using testing::IsEmpty;

TEST_F(OutboxTest, AResultComesAfterItsWholeLog) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 10), 0);
  outbox.PutFinished(Finished("a", 10));
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 0+4", "log a 4+4", "log a 8+2", "finished a"));
}

TEST_F(OutboxTest, PiecesGrowFromSmallOnes) {
  Outbox outbox;
  outbox.StartLog("a", Log("a", 600 << 10), 0);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 0+32768", "log a 32768+65536", "log a 98304+131072",
                                         "log a 229376+262144", "log a 491520+122880"));
}

TEST_F(OutboxTest, AResultWhoseLogIsOutDoesNotWaitForOtherLogs) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 100), 0);
  outbox.StartLog("b", Log("b", 4), 4);
  outbox.PutFinished(Finished("b", 4));
  EXPECT_EQ(Drain(outbox).front(), "finished b");
}

TEST_F(OutboxTest, ShortMessagesGoFirstAndLogsTakeTurns) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 8), 0);
  outbox.StartLog("b", Log("b", 8), 0);
  outbox.Put(Heartbeat(1));
  EXPECT_THAT(Drain(outbox),
              ElementsAre("heartbeat", "log a 0+4", "log b 0+4", "log a 4+4", "log b 4+4"));
}

TEST_F(OutboxTest, TheWindowBoundsWhatIsNotAcknowledged) {
  Outbox outbox({.chunk_bytes = 4, .window_bytes = 6});
  outbox.StartLog("a", Log("a", 20), 0);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 0+4", "log a 4+2"));
  outbox.AckLog("a", 5);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 6+4", "log a 10+1"));
}

TEST_F(OutboxTest, AnAcknowledgementAheadOfUsSkips) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 10), 0);
  outbox.AckLog("a", 9);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 9+1"));
}

TEST_F(OutboxTest, AnAcknowledgementThatGoesBackIsFollowed) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 10), 6);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 6+4"));
  outbox.AckLog("a", 3);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 3+4", "log a 7+3"));
}

TEST_F(OutboxTest, WhatWasNotTakenIsSentAgainFromWhereTheControllerStands) {
  Outbox outbox({.chunk_bytes = 4});
  outbox.StartLog("a", Log("a", 10), 6);
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 6+4"));
  outbox.AckLog("a", 6);
  EXPECT_THAT(Drain(outbox), IsEmpty());
  outbox.AckLog("a", 6, /*again=*/true);
  outbox.PutFinished(Finished("a", 10));
  EXPECT_THAT(Drain(outbox), ElementsAre("log a 6+4", "finished a"));
}

TEST_F(OutboxTest, AResultOfAnUnknownAttemptGoesAtOnce) {
  Outbox outbox;
  outbox.PutFinished(Finished("ghost", 0));
  EXPECT_THAT(Drain(outbox), ElementsAre("finished ghost"));
}

TEST_F(OutboxTest, AResultDoesNotWaitForALogThatIsShorterThanItSays) {
  Outbox outbox;
  outbox.StartLog("a", Log("a", 3), 0);
  outbox.PutFinished(Finished("a", 10));
  ASSERT_EQ(outbox.Next()->log().data(), "xxx");
  EXPECT_EQ(outbox.Next()->finished().log_size(), 3);
}

TEST_F(OutboxTest, NothingIsSentOfAForgottenAttempt) {
  Outbox outbox;
  outbox.StartLog("a", Log("a", 3), 0);
  outbox.PutFinished(Finished("a", 3));
  outbox.Drop("a");
  EXPECT_THAT(Drain(outbox), IsEmpty());
}

TEST_F(OutboxTest, FullIsSaid) {
  Outbox outbox({.messages = 2});
  EXPECT_TRUE(outbox.Put(Heartbeat(1)));
  EXPECT_TRUE(outbox.Put(Heartbeat(2)));
  EXPECT_FALSE(outbox.Put(Heartbeat(3)));
}

TEST_F(OutboxTest, AWaitingWriterWakesForGrowthAndForTheEnd) {
  Outbox outbox;
  const auto spool = Log("a", 0);
  outbox.StartLog("a", spool, 0);
  std::thread writer([&] {
    EXPECT_EQ(outbox.Next()->log().data(), "news");
    EXPECT_FALSE(outbox.Next().has_value());
  });
  spool->Append("news");
  outbox.Poke();
  outbox.Close(/*flush=*/true);
  writer.join();
}

}  // namespace
}  // namespace manyarch::worker::link
