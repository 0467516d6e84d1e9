#include "controller/publish/strands.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "controller/publish/claims.h"

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
      strands.Add({key}, [&, key, i] {
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
  strands.Add({"a"}, [&] { release.WaitForNotification(); });
  strands.Add({"a"}, [] {});
  strands.Add({"b"}, [&] { other.Notify(); });
  strands.Add({}, [&] { keyless.Notify(); });
  other.WaitForNotification();
  keyless.WaitForNotification();
  release.Notify();
}

TEST(Strands, ATaskOfSeveralKeysHasThemAllToItself) {
  constexpr int kTasks = 300;
  const std::vector<std::vector<std::string>> keys = {{"a"}, {"a", "b"}, {"b", "c"},     {"c", "a"},
                                                      {"c"}, {"b"},      {"c", "b", "a"}};
  absl::Mutex mutex;
  std::map<std::string, int> inside;
  std::map<std::string, std::vector<int>> seen;
  absl::BlockingCounter left(kTasks);
  Strands strands(4);
  for (int i = 0; i < kTasks; ++i) {
    const std::vector<std::string>& mine = keys[static_cast<size_t>(i) % keys.size()];
    strands.Add(mine, [&, mine, i] {
      {
        absl::MutexLock lock(&mutex);
        for (const std::string& key : mine) {
          EXPECT_EQ(++inside[key], 1) << key;
          seen[key].push_back(i);
        }
      }
      absl::MutexLock lock(&mutex);
      for (const std::string& key : mine) --inside[key];
      left.DecrementCount();
    });
  }
  left.Wait();
  absl::MutexLock lock(&mutex);
  for (const auto& [key, order] : seen) EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
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
      strands.Add({"slow:5000/app" + std::to_string(i)}, task);
    } else {
      strands.Add({}, task, "slow:5000");
    }
  }
  slow.Wait();
  for (int i = 0; i < 20; ++i)
    strands.Add(
        {}, [&] { others.DecrementCount(); }, "fast");
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
  strands.Add({"a"}, [&] {
    begun.Notify();
    release.WaitForNotification();
    finished = true;
  });
  begun.WaitForNotification();
  release.Notify();
  strands.Stop();
  EXPECT_TRUE(finished);
  strands.Add({"a"}, [&] { late = true; });
  strands.Add({}, [&] { late = true; });
  strands.Stop();
  EXPECT_FALSE(late);
}

TEST(Claims, TheLastOneHoldsATagForAsLongAsEarlierOnesMayCome) {
  const core::TagRef tag{"r/app", "1"};
  const core::TagRef other{"r/app", "2"};
  Claims claims;
  const int64_t early = claims.Claim({tag, other});
  EXPECT_TRUE(claims.Holds(tag, early));
  const int64_t late = claims.Claim({tag});
  EXPECT_FALSE(claims.Holds(tag, early));
  EXPECT_TRUE(claims.Holds(other, early));
  EXPECT_TRUE(claims.Holds(tag, late));
  claims.Release({tag}, late);  // The late one is done: the early one still must not overwrite it.
  EXPECT_FALSE(claims.Holds(tag, early));
  claims.Release({tag, other}, early);
  EXPECT_TRUE(claims.Holds(tag, claims.Claim({tag})));
}

TEST(Claims, AreForgottenAllAtOnceAndNotReleasedTwice) {
  Claims claims;
  const std::vector<core::TagRef> tags = {{"reg/app", "1"}, {"reg/app", "2"}};
  const int64_t early = claims.Claim(tags);
  const int64_t late = claims.Claim({tags[0]});
  EXPECT_FALSE(claims.Holds(tags[0], early));
  EXPECT_TRUE(claims.Holds(tags[1], early));
  EXPECT_TRUE(claims.Holds(tags[0], late));
  claims.Forget();
  EXPECT_EQ(claims.size(), 0u);
  for (const core::TagRef& tag : tags) {
    EXPECT_FALSE(claims.Holds(tag, early)) << "what runs is to write nothing more";
    EXPECT_FALSE(claims.Holds(tag, late));
  }
  const int64_t anew = claims.Claim(tags);
  claims.Release(tags, early);
  claims.Release({tags[0]}, late);
  EXPECT_EQ(claims.size(), 2u);
  EXPECT_TRUE(claims.Holds(tags[0], anew));
  claims.Release(tags, anew);
  EXPECT_EQ(claims.size(), 0u);
}

}  // namespace
}  // namespace manyarch::controller::publish
