#include "controller/publish/strands.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"

namespace manyarch::controller::publish {
namespace {

TEST(Strands, KeepTheOrderWithinAKey) {
  constexpr int kTasks = 200;
  absl::Mutex mutex;
  std::map<std::string, std::vector<int>> seen;
  absl::BlockingCounter left(3 * kTasks);
  Strands strands(4);
  for (int i = 0; i < kTasks; ++i) {
    for (const std::string key : {"a", "b", "c"}) {
      strands.Add(key, [&, key, i] {
        absl::MutexLock lock(&mutex);
        seen[key].push_back(i);
        left.DecrementCount();
      });
    }
  }
  left.Wait();
  absl::MutexLock lock(&mutex);
  for (const auto& [key, order] : seen) {
    ASSERT_EQ(order.size(), static_cast<size_t>(kTasks)) << key;
    for (int i = 0; i < kTasks; ++i) EXPECT_EQ(order[static_cast<size_t>(i)], i) << key;
  }
}

TEST(Strands, OneBlockedKeyHoldsUpNobodyElse) {
  absl::Notification release;
  absl::Notification other;
  absl::Notification keyless;
  Strands strands(2);
  strands.Add("a", [&] { release.WaitForNotification(); });
  strands.Add("a", [] {});
  strands.Add("b", [&] { other.Notify(); });
  strands.Add("", [&] { keyless.Notify(); });
  other.WaitForNotification();
  keyless.WaitForNotification();
  release.Notify();
}

TEST(Strands, ASlowGroupLeavesHalfOfTheThreadsToOthers) {
  absl::Notification release;
  absl::BlockingCounter slow(2);
  absl::BlockingCounter others(20);
  std::atomic<int> begun{0};
  Strands strands(4);
  for (int i = 0; i < 8; ++i) {
    const auto task = [&] {
      if (++begun <= 2) slow.DecrementCount();
      release.WaitForNotification();
    };
    if (i % 2 == 0) {
      strands.Add("slow:5000/app" + std::to_string(i), task);
    } else {
      strands.Add("", task, "slow:5000");
    }
  }
  slow.Wait();
  for (int i = 0; i < 20; ++i)
    strands.Add(
        "", [&] { others.DecrementCount(); }, "fast");
  others.Wait();
  EXPECT_EQ(begun, 2);
  release.Notify();
}

TEST(Strands, StopWaitsForWhatHasBegunAndTakesNothingNew) {
  absl::Notification begun;
  absl::Notification release;
  std::atomic<bool> finished{false};
  std::atomic<bool> late{false};
  Strands strands(1);
  strands.Add("a", [&] {
    begun.Notify();
    release.WaitForNotification();
    finished = true;
  });
  begun.WaitForNotification();
  release.Notify();
  strands.Stop();
  EXPECT_TRUE(finished);
  strands.Add("a", [&] { late = true; });
  strands.Add("", [&] { late = true; });
  strands.Stop();
  EXPECT_FALSE(late);
}

}  // namespace
}  // namespace manyarch::controller::publish
