#include "registry/host_limit.h"

#include <gtest/gtest.h>

namespace manyarch::registry {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'700'000'000);

TEST(HostLimit, LetsSoManyRunAtOneTime) {
  HostLimit limit(2, 0, kStart);
  EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
  EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
  EXPECT_EQ(limit.Begin(kStart), absl::InfiniteDuration());
  limit.End();
  EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
}

TEST(HostLimit, SpacesRequestsAfterABurst) {
  HostLimit limit(100, 5, kStart);
  for (int i = 0; i < 5; ++i) EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
  absl::Time now = kStart;
  for (int i = 0; i < 20; ++i) {
    const absl::Duration pause = limit.Begin(now);
    EXPECT_GT(pause, absl::ZeroDuration());
    now += pause;
    EXPECT_EQ(limit.Begin(now), absl::ZeroDuration());
  }
  EXPECT_NEAR(absl::ToDoubleSeconds(now - kStart), 4.0, 0.01) << "20 at 5 a second";
}

TEST(HostLimit, BearsLessThanOneASecond) {
  HostLimit limit(100, 0.5, kStart);
  EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
  EXPECT_EQ(limit.Begin(kStart), absl::Seconds(2));
  EXPECT_EQ(limit.Begin(kStart + absl::Seconds(2)), absl::ZeroDuration());
}

TEST(HostLimit, SavesNoMoreThanOneSecondsWorth) {
  HostLimit limit(100, 3, kStart);
  const absl::Time later = kStart + absl::Hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(limit.Begin(later), absl::ZeroDuration());
  EXPECT_GT(limit.Begin(later), absl::ZeroDuration());
}

TEST(HostLimit, AClockThatGoesBackGivesNothing) {
  HostLimit limit(100, 1, kStart);
  EXPECT_EQ(limit.Begin(kStart), absl::ZeroDuration());
  EXPECT_GT(limit.Begin(kStart - absl::Hours(1)), absl::ZeroDuration());
}

TEST(HostLimit, PausesForAsLongAsTheLongestPause) {
  HostLimit limit(1, 0, kStart);
  limit.PauseUntil(kStart + absl::Seconds(30));
  limit.PauseUntil(kStart + absl::Seconds(10));
  EXPECT_EQ(limit.Begin(kStart + absl::Seconds(5)), absl::Seconds(25));
  EXPECT_EQ(limit.Begin(kStart + absl::Seconds(30)), absl::ZeroDuration());
}

}  // namespace
}  // namespace manyarch::registry
