// A worker that can take nothing new for now says so, and says when it can again.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker_core/rig.h"

namespace manyarch::worker::core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

TEST(ReadinessTest, ItIsToldWhenItChangesAndOffersAreRefusedMeanwhile) {
  Rig rig;
  rig.Join();
  EXPECT_THAT(rig.Do(ReadinessChanged{"the disk is full"}),
              ElementsAre("not ready: the disk is full"));
  EXPECT_THAT(rig.Do(ReadinessChanged{"the disk is full"}), IsEmpty());
  EXPECT_THAT(rig.Offer("a"), ElementsAre("refuse a: the disk is full"));
  EXPECT_THAT(rig.Do(ReadinessChanged{""}), ElementsAre("ready"));
  EXPECT_THAT(rig.Offer("a"), Contains("accept a"));
}

TEST(ReadinessTest, WhatRunsIsNotTouchedAndIsStillReported) {
  Rig rig({.slots = 2});
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(ReadinessChanged{"the disk is full"}),
              ElementsAre("not ready: the disk is full"));
  EXPECT_THAT(rig.Offer("a"), ElementsAre("accept a"));  // A repeat of what it has.
  EXPECT_THAT(rig.Finish("a", "image"), Contains("finished a=image"));
}

TEST(ReadinessTest, TheHelloSaysItAndWhatChangedMeanwhileIsSaidAfterIt) {
  Rig rig;
  rig.Do(Tick{});
  rig.Do(ReadinessChanged{"the disk is full"});
  const ConnectionId connection = std::get<Dialing>(rig.worker.connection()).connection;
  EXPECT_THAT(rig.Do(Connected{connection}), ElementsAre("hello 1 [] not ready: the disk is full"));
  EXPECT_THAT(rig.Do(ReadinessChanged{""}), IsEmpty());
  EXPECT_THAT(rig.Do(HelloAnswered{connection, 7, absl::Seconds(5), {}}), ElementsAre("ready"));
  rig.connection = connection;
  rig.Cut();
  EXPECT_THAT(rig.Join(), IsEmpty());  // The new Hello said nothing, and that is still right.
}

TEST(ReadinessTest, ALogThatWasNotTakenIsSentAgainAndSoIsTheResultAfterIt) {
  Rig rig;
  rig.Join();
  rig.Offer("a");
  EXPECT_THAT(rig.Do(LogAcked{rig.connection, "a", 5, true}), ElementsAre("log a acked 5 again"));
  rig.Finish("a", "image");
  EXPECT_THAT(rig.Do(LogAcked{rig.connection, "a", 5, true}),
              ElementsAre("log a acked 5 again", "finished a=image"));
  EXPECT_THAT(rig.Do(LogAcked{rig.connection, "a", 10}), ElementsAre("log a acked 10"));
}

}  // namespace
}  // namespace manyarch::worker::core
