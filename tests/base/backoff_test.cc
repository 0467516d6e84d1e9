#include "common/base/backoff.h"

#include <gtest/gtest.h>

namespace manyarch {
namespace {

TEST(Backoff, DoublesUpToTheMaximumAndJittersByHalf) {
  const Backoff backoff{absl::Milliseconds(100), absl::Seconds(1), 2.0};
  EXPECT_EQ(backoff.Delay(0, 0.0), absl::Milliseconds(50));
  EXPECT_EQ(backoff.Delay(1, 0.0), absl::Milliseconds(100));
  EXPECT_EQ(backoff.Delay(2, 0.5), absl::Milliseconds(300));
  EXPECT_EQ(backoff.Delay(10, 0.0), absl::Milliseconds(500));
  EXPECT_LT(backoff.Delay(10, 0.999), absl::Seconds(1));
}

TEST(Backoff, SurvivesAbsurdRetryNumbers) {
  const Backoff backoff;
  EXPECT_EQ(backoff.Delay(1'000'000, 0.0), backoff.maximum / 2);
  EXPECT_EQ(backoff.Delay(-5, 0.0), backoff.initial / 2);
}

TEST(RetryBudget, RefusesAPauseThatWouldEndAfterIt) {
  const RetryBudget budget{absl::Seconds(10)};
  const absl::Time start = absl::UnixEpoch();
  EXPECT_TRUE(budget.Allows(start, start + absl::Seconds(4), absl::Seconds(6)));
  EXPECT_FALSE(budget.Allows(start, start + absl::Seconds(4), absl::Seconds(7)));
}

}  // namespace
}  // namespace manyarch
