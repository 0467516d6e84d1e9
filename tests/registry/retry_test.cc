#include "registry/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

TEST(ParseRetryAfter, TakesSecondsAndDates) {
  const absl::Time now =
      absl::FromCivil(absl::CivilSecond(2023, 11, 14, 22, 13, 20), absl::UTCTimeZone());
  EXPECT_EQ(ParseRetryAfter("7", now), absl::Seconds(7));
  EXPECT_EQ(ParseRetryAfter(" 0 ", now), absl::ZeroDuration());
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 22:14:20 GMT", now), absl::Seconds(60));
  EXPECT_EQ(ParseRetryAfter("Tue, 14 Nov 2023 22:00:00 GMT", now), absl::ZeroDuration());
  for (const char* bad :
       {"infinite-future", "infinite-past", "", "-5", "soon", "1.5", "99999999999999"}) {
    EXPECT_EQ(ParseRetryAfter(bad, now), std::nullopt) << bad;
  }
}

TEST(Retrier, SpacesTriesAndGivesUpWithinTheBudget) {
  FakeWaiter waiter;
  Retrier retrier({absl::Seconds(2), absl::Seconds(8), 2.0}, {absl::Seconds(12)},
                  absl::InfiniteFuture(), &waiter, nullptr);
  while (retrier.Pause(std::nullopt).ok()) {
  }
  EXPECT_THAT(waiter.pauses, ::testing::ElementsAre(absl::Seconds(1), absl::Seconds(2),
                                                    absl::Seconds(4), absl::Seconds(4)));
  EXPECT_EQ(retrier.Effort(), "after 5 tries in 11s");
}

TEST(Retrier, WaitsAsLongAsTheRegistryAsks) {
  FakeWaiter waiter;
  Retrier retrier({}, {absl::Minutes(3)}, absl::InfiniteFuture(), &waiter, nullptr);
  EXPECT_TRUE(retrier.Pause(absl::Seconds(30)).ok());
  EXPECT_EQ(waiter.pauses.back(), absl::Seconds(30));
  const absl::Status refused = retrier.Pause(absl::Hours(1));
  EXPECT_TRUE(absl::IsUnavailable(refused));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("wants a pause of 1h"));
  EXPECT_EQ(waiter.pauses.size(), 1u) << "does not sit out a pause that leads nowhere";
}

TEST(Retrier, StopsAtTheDeadline) {
  FakeWaiter waiter;
  Retrier retrier({}, {absl::Minutes(3)}, waiter.now + absl::Milliseconds(50), &waiter, nullptr);
  EXPECT_EQ(retrier.Timeout(absl::Seconds(60)), absl::Milliseconds(50));
  EXPECT_TRUE(absl::IsUnavailable(retrier.Pause(std::nullopt)));
}

TEST(Retrier, StopsWhenTold) {
  FakeWaiter waiter;
  absl::Notification stop;
  Retrier retrier({}, {absl::Minutes(3)}, absl::InfiniteFuture(), &waiter, &stop);
  waiter.on_sleep = [&] { stop.Notify(); };
  EXPECT_TRUE(absl::IsCancelled(retrier.Pause(std::nullopt)));
}

TEST(SystemWaiter, WakesUpWhenTold) {
  SystemWaiter waiter;
  absl::Notification stop;
  stop.Notify();
  const absl::Time before = waiter.Now();
  waiter.Sleep(absl::Hours(1), &stop);
  EXPECT_LT(waiter.Now() - before, absl::Minutes(1));
  const double jitter = waiter.Jitter();
  EXPECT_GE(jitter, 0.0);
  EXPECT_LT(jitter, 1.0);
}

}  // namespace
}  // namespace manyarch::registry
