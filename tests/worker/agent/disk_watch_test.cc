#include "worker/disk_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/synchronization/mutex.h"

namespace manyarch::worker {
namespace {

// A disk of 1000 bytes, of which 100 are to be free, with caches that can be given up.
class DiskWatchTest : public testing::Test {
 protected:
  DiskWatch::Ports Ports() {
    return {.look = [this]() -> absl::StatusOr<DiskSpace> {
              absl::MutexLock lock(&mutex_);
              ++looks_;
              return DiskSpace{free_, 1000};
            },
            .make_room =
                [this](int64_t wanted, const StopToken&) {
                  absl::MutexLock lock(&mutex_);
                  ++prunings_;
                  const int64_t given = std::clamp<int64_t>(wanted - free_, 0, caches_);
                  caches_ -= given;
                  free_ += given;
                },
            .tell =
                [this](std::string why) {
                  absl::MutexLock lock(&mutex_);
                  told_.push_back(std::move(why));
                }};
  }
  void SetFree(int64_t free) {
    absl::MutexLock lock(&mutex_);
    free_ = free;
  }
  // Waits for two more looks: the first of them may have begun before.
  void LetItLook() {
    absl::MutexLock lock(&mutex_);
    const auto wanted = looks_ + 3;
    const auto looked = [&] { return looks_ >= wanted; };
    mutex_.Await(absl::Condition(&looked));
  }
  std::vector<std::string> told() {
    absl::MutexLock lock(&mutex_);
    return told_;
  }

  const MinFree min_free_ = {0.1, INT64_MAX};
  absl::Mutex mutex_;
  int64_t free_ = 500;
  int64_t caches_ = 0;
  int looks_ = 0;
  int prunings_ = 0;
  std::vector<std::string> told_;
};

constexpr absl::Duration kOften = absl::Milliseconds(1);

TEST_F(DiskWatchTest, AFullDiskIsToldBeforeAnythingIsTakenAndWhyItIs) {
  free_ = 50;
  const DiskWatch watch(min_free_, Ports(), absl::Hours(1));
  ASSERT_EQ(told().size(), 1u);
  EXPECT_THAT(told()[0], testing::HasSubstr("only 50 bytes of 1000 bytes free"));
  EXPECT_THAT(told()[0], testing::HasSubstr("less than the 100 bytes that --min-free asks for"));
}

TEST_F(DiskWatchTest, WhereCachesCanBeGivenUpNothingIsTold) {
  free_ = 50;
  caches_ = 500;
  const DiskWatch watch(min_free_, Ports(), absl::Hours(1));
  EXPECT_TRUE(told().empty());
  EXPECT_EQ(free_, 125);  // With a margin, and no more than that.
}

TEST_F(DiskWatchTest, ItComesBackByItselfOnceThereIsRoomWithAMargin) {
  const DiskWatch watch(min_free_, Ports(), kOften);
  SetFree(99);
  LetItLook();
  ASSERT_EQ(told().size(), 1u);
  SetFree(110);
  LetItLook();
  EXPECT_EQ(told().size(), 1u);
  SetFree(125);
  LetItLook();
  ASSERT_EQ(told().size(), 2u);
  EXPECT_EQ(told()[1], "");
}

TEST_F(DiskWatchTest, CachesThatFillUpAgainAreGivenUpAgainWhileItIsLow) {
  free_ = 0;
  const DiskWatch watch(min_free_, Ports(), kOften);
  ASSERT_EQ(told().size(), 1u);
  {
    absl::MutexLock lock(&mutex_);
    caches_ = 1000;
    const auto told_again = [&] { return told_.size() == 2; };
    mutex_.Await(absl::Condition(&told_again));
  }
  EXPECT_EQ(told()[1], "");
}

}  // namespace
}  // namespace manyarch::worker
