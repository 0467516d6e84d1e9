#include "worker/link/wire.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manyarch::worker::link {
namespace {

TEST(WorkerWire, ResultsComeThroughTheCoreUnchanged) {
  v1::Finished finished;
  finished.set_attempt_id("a");
  finished.set_log_size(9);
  finished.mutable_failure()->set_message("out of disk");
  const core::FinishedAttempt carried = FromWire(finished);
  EXPECT_EQ(carried.attempt_id, "a");
  EXPECT_EQ(carried.log_size, 9);
  EXPECT_EQ(ToWire(carried).SerializeAsString(), finished.SerializeAsString());
}

TEST(WorkerWire, ACancelledAttemptIsAnEmptyResultAndBack) {
  v1::Finished finished;
  finished.set_attempt_id("a");
  finished.set_log_size(9);
  finished.mutable_cancelled();
  EXPECT_EQ(FromWire(finished).result, "");
  EXPECT_EQ(ToWire(FromWire(finished)).SerializeAsString(), finished.SerializeAsString());
}

TEST(WorkerWire, TheHelloCarriesIdentityAndAttempts) {
  Identity identity;
  identity.worker.set_name("north");
  identity.incarnation = "7f";
  const v1::WorkerMessage message = ToWire(
      core::SendHello{3, {{"a", core::Phase::kPushing}}, {{"b", "", 4}}, true, ""}, identity);
  const v1::Hello& hello = message.hello();
  EXPECT_EQ(hello.protocol_version(), 1);
  EXPECT_EQ(hello.worker().name(), "north");
  EXPECT_EQ(hello.incarnation(), "7f");
  EXPECT_EQ(hello.running(0).state(), v1::ATTEMPT_STATE_PUSHING);
  EXPECT_TRUE(hello.finished(0).has_cancelled());
  EXPECT_TRUE(hello.draining());
}

TEST(WorkerWire, AnOfferIsCarriedWhole) {
  v1::ControllerMessage message;
  message.mutable_offer()->set_attempt_id("a");
  message.mutable_offer()->mutable_registry()->set_authfile("secret");
  const auto event = FromWire(5, message);
  ASSERT_TRUE(event.has_value());
  const auto& offered = std::get<core::Offered>(*event);
  EXPECT_EQ(offered.connection, 5);
  v1::Offer order;
  ASSERT_TRUE(order.ParseFromString(offered.order));
  EXPECT_EQ(order.registry().authfile(), "secret");
}

TEST(WorkerWire, AMessageOfAKindFromTheFutureIsIgnored) {
  EXPECT_FALSE(FromWire(1, v1::ControllerMessage()).has_value());
}

}  // namespace
}  // namespace manyarch::worker::link
