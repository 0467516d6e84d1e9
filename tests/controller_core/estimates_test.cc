#include "controller/core/estimates.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "absl/strings/str_cat.h"

namespace manyarch::controller::core {
namespace {

const absl::Time kNow = absl::UnixEpoch() + absl::Hours(1000);

BuildKind Kind(const std::string& repository, const std::string& platform,
               const std::string& target = "") {
  return {repository, target, *ParsePlatform(platform)};
}

absl::Duration Native(const Estimates& estimates, const BuildKind& kind) {
  return absl::Floor(estimates.Predict(kind, false, true).mean + absl::Milliseconds(500),
                     absl::Seconds(1));
}
absl::Duration Emulated(const Estimates& estimates, const BuildKind& kind) {
  return absl::Floor(estimates.Predict(kind, true, true).mean + absl::Milliseconds(500),
                     absl::Seconds(1));
}

// Builds it so often on one worker that only warm ones count.
void Teach(Estimates& estimates, const BuildKind& kind, bool emulated, absl::Duration took) {
  for (int i = 0; i < 40; ++i) estimates.Succeeded(kind, "w", emulated, took, kNow);
}

TEST(Estimates, NothingKnownIsTwoMinutesAndEightTimesThatEmulated) {
  const Estimates estimates;
  EXPECT_EQ(Native(estimates, Kind("a", "amd64")), absl::Minutes(2));
  EXPECT_EQ(Emulated(estimates, Kind("a", "amd64")), absl::Minutes(16));
  EXPECT_EQ(estimates.Predict(Kind("a", "amd64"), false, true).guessed, 2);
}

TEST(Estimates, WhatWasBuiltIsExpectedToTakeAsLongAgain) {
  Estimates estimates;
  Teach(estimates, Kind("a", "amd64"), false, absl::Seconds(50));
  EXPECT_EQ(Native(estimates, Kind("a", "amd64")), absl::Seconds(50));
  EXPECT_LT(estimates.Predict(Kind("a", "amd64"), false, true).spread, absl::Seconds(1));
  EXPECT_EQ(estimates.Predict(Kind("a", "amd64"), false, true).guessed, 0);
  EXPECT_EQ(estimates.Predict(Kind("a", "amd64"), true, true).guessed, 1);
}

TEST(Estimates, TheLatestBuildsCountMost) {
  Estimates estimates;
  Teach(estimates, Kind("a", "amd64"), false, absl::Seconds(50));
  for (int i = 0; i < 5; ++i) {
    estimates.Succeeded(Kind("a", "amd64"), "w", false, absl::Seconds(100), kNow);
  }
  EXPECT_GT(Native(estimates, Kind("a", "amd64")), absl::Seconds(85));
  EXPECT_GT(estimates.Predict(Kind("a", "amd64"), false, true).spread, absl::Seconds(15));
}

TEST(Estimates, NeverEmulatedIsItsNativeTimeByThePriorFactor) {
  Estimates estimates;
  Teach(estimates, Kind("a", "arm64"), false, absl::Seconds(10));
  EXPECT_EQ(Emulated(estimates, Kind("a", "arm64")), absl::Seconds(80));
}

TEST(Estimates, WhatEmulationCostsIsLearnedForThePlatform) {
  Estimates estimates;
  Teach(estimates, Kind("a", "arm64"), false, absl::Seconds(10));
  Teach(estimates, Kind("a", "arm64"), true, absl::Seconds(30));
  Teach(estimates, Kind("b", "arm64"), false, absl::Seconds(100));
  EXPECT_NEAR(estimates.EmulationFactor(*ParsePlatform("arm64")), 3.0, 0.1);
  EXPECT_NEAR(absl::ToDoubleSeconds(Emulated(estimates, Kind("b", "arm64"))), 300, 10);
  EXPECT_EQ(estimates.EmulationFactor(*ParsePlatform("s390x")), 8.0);
}

TEST(Estimates, ARepositorysOtherPlatformsStandInForANewOne) {
  Estimates estimates;
  Teach(estimates, Kind("a", "amd64"), false, absl::Seconds(40));
  Teach(estimates, Kind("other", "s390x"), false, absl::Seconds(900));
  EXPECT_EQ(Native(estimates, Kind("a", "s390x")), absl::Seconds(40));
  EXPECT_EQ(Emulated(estimates, Kind("a", "s390x")), absl::Seconds(320));
}

TEST(Estimates, OtherStagesStandInForANewStage) {
  Estimates estimates;
  Teach(estimates, Kind("a", "amd64", "test"), false, absl::Seconds(70));
  EXPECT_EQ(Native(estimates, Kind("a", "amd64", "release")), absl::Seconds(70));
}

TEST(Estimates, ANewRepositoryIsLikeAllOthers) {
  Estimates estimates;
  Teach(estimates, Kind("a", "amd64"), false, absl::Seconds(30));
  EXPECT_EQ(Native(estimates, Kind("new", "amd64")), absl::Seconds(30));
}

TEST(Estimates, AColdWorkerTakesLongerAndThatIsLearned) {
  Estimates estimates;
  const BuildKind kind = Kind("a", "amd64");
  estimates.Succeeded(kind, "x", false, absl::Seconds(60), kNow);
  EXPECT_FALSE(estimates.IsWarm(kind, "y", kNow));
  EXPECT_TRUE(estimates.IsWarm(kind, "x", kNow));
  EXPECT_FALSE(estimates.IsWarm(kind, "x", kNow + absl::Hours(25)));
  estimates.Succeeded(kind, "x", false, absl::Seconds(20), kNow);
  EXPECT_EQ(estimates.Predict(kind, false, false).mean, absl::Seconds(60));
  EXPECT_EQ(estimates.Predict(kind, false, true).mean, absl::Seconds(20));
}

TEST(Estimates, TheLastFourWorkersAreRemembered) {
  Estimates estimates;
  const BuildKind kind = Kind("a", "amd64");
  for (int w = 0; w < 5; ++w) {
    estimates.Succeeded(kind, absl::StrCat("w", w), false, absl::Seconds(1), kNow);
  }
  EXPECT_FALSE(estimates.IsWarm(kind, "w0", kNow));
  EXPECT_TRUE(estimates.IsWarm(kind, "w1", kNow));
  EXPECT_TRUE(estimates.IsWarm(kind, "w4", kNow));
}

TEST(Estimates, EmulatorCrashesAreCountedUntilItSucceeds) {
  Estimates estimates;
  const BuildKind kind = Kind("a", "s390x");
  estimates.EmulatorCrashed(kind, kNow);
  estimates.EmulatorCrashed(kind, kNow);
  EXPECT_EQ(estimates.EmulatorCrashes(kind), 2);
  EXPECT_EQ(Native(estimates, kind), absl::Minutes(2));  // A crash says nothing of the time.
  estimates.Succeeded(kind, "w", true, absl::Minutes(1), kNow);
  EXPECT_EQ(estimates.EmulatorCrashes(kind), 0);
}

TEST(Estimates, EmulatorCrashesAreThoseOfTheRepositoryWhateverTheTarget) {
  Estimates estimates;
  estimates.EmulatorCrashed(Kind("a", "s390x", "test"), kNow);
  EXPECT_EQ(estimates.EmulatorCrashes(Kind("a", "s390x", "release")), 1);
  EXPECT_EQ(estimates.EmulatorCrashes(Kind("a", "arm64", "test")), 0);
  EXPECT_EQ(estimates.EmulatorCrashes(Kind("b", "s390x", "test")), 0);
  estimates.Succeeded(Kind("a", "s390x", "release"), "w", true, absl::Minutes(1), kNow);
  EXPECT_EQ(estimates.EmulatorCrashes(Kind("a", "s390x", "test")), 0);
}

TEST(Estimates, EmulatorCrashesThatWereStoredForEachTargetCountTogether) {
  const auto stored = [](int64_t crashes) {
    History history;
    history.emulator_crashes = crashes;
    history.updated_at = kNow;
    return history;
  };
  Estimates estimates;
  estimates.Restore(Kind("a", "s390x", "release"), stored(2));
  estimates.Restore(Kind("a", "s390x"), stored(1));
  estimates.Restore(Kind("a", "s390x", "test"), stored(3));
  EXPECT_EQ(estimates.EmulatorCrashes(Kind("a", "s390x")), 6);
  Estimates again;  // From what is stored from then on.
  for (const BuildKind& kind : estimates.TakeChanged()) again.Restore(kind, *estimates.Find(kind));
  EXPECT_EQ(again.EmulatorCrashes(Kind("a", "s390x", "test")), 6);
}

TEST(Estimates, AreMereGuessesWhileNothingLikeItWasBuilt) {
  Estimates estimates;
  const auto guess = [&](const BuildKind& kind, bool emulated) {
    return estimates.Predict(kind, emulated, true).mere_guess;
  };
  EXPECT_TRUE(guess(Kind("a", "amd64"), false));
  estimates.Succeeded(Kind("a", "amd64"), "w", false, absl::Minutes(3), kNow);
  EXPECT_FALSE(guess(Kind("a", "amd64"), false));
  EXPECT_FALSE(guess(Kind("a", "s390x"), false));  // As on the other platform.
  EXPECT_TRUE(guess(Kind("b", "amd64"), false));   // The farm's builds in general say little.
  // What emulation costs there is not known.
  EXPECT_TRUE(guess(Kind("a", "s390x"), true));
  estimates.Succeeded(Kind("b", "s390x"), "w", true, absl::Minutes(30), kNow);
  EXPECT_FALSE(guess(Kind("b", "s390x"), true));
  EXPECT_TRUE(guess(Kind("b", "s390x"), false));
  estimates.Succeeded(Kind("b", "s390x"), "w", false, absl::Minutes(5), kNow);
  EXPECT_FALSE(guess(Kind("a", "s390x"), true));
}

TEST(Estimates, TheOldestKindsAreForgottenAndToldAsChanged) {
  Estimates estimates;
  for (size_t i = 0; i <= Estimates::kMostKinds; ++i) {
    estimates.Succeeded(Kind(absl::StrCat("r", i), "amd64"), "w", false, absl::Seconds(1),
                        kNow + absl::Seconds(static_cast<int64_t>(i)));
  }
  EXPECT_EQ(estimates.Find(Kind("r0", "amd64")), nullptr);
  EXPECT_NE(estimates.Find(Kind("r1", "amd64")), nullptr);
  EXPECT_TRUE(estimates.TakeChanged().contains(Kind("r0", "amd64")));
  EXPECT_TRUE(estimates.TakeChanged().empty());
}

TEST(Estimates, WhatIsRestoredPredictsTheSame) {
  Estimates estimates;
  Teach(estimates, Kind("a", "arm64"), false, absl::Seconds(10));
  Teach(estimates, Kind("a", "arm64"), true, absl::Seconds(50));
  Estimates again;
  for (const BuildKind& kind : estimates.TakeChanged()) again.Restore(kind, *estimates.Find(kind));
  EXPECT_EQ(Native(again, Kind("a", "arm64")), absl::Seconds(10));
  EXPECT_EQ(Emulated(again, Kind("a", "arm64")), absl::Seconds(50));
  EXPECT_NEAR(again.EmulationFactor(*ParsePlatform("arm64")), 5.0, 0.2);
  EXPECT_TRUE(again.IsWarm(Kind("a", "arm64"), "w", kNow));
}

}  // namespace
}  // namespace manyarch::controller::core
