// Attempt logs: contiguous whatever is sent, durable before acknowledged.
#include "controller/logs/log_store.h"

#include <unistd.h>

#include <map>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::controller {
namespace {

constexpr char kAttempt[] = "j123-amd64-1";

class LogStoreTest : public ::testing::Test {
 protected:
  std::unique_ptr<LogStore> Open() {
    return std::make_unique<LogStore>(dir_.path(), [this](const std::string& id, int64_t size) {
      absl::MutexLock lock(&mutex_);
      durable_[id] = size;
    });
  }
  void AwaitDurable(int64_t size) {
    const auto there = [&] { return durable_[kAttempt] >= size; };
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(&there));
  }

  TempDir dir_ = *TempDir::Make();
  absl::Mutex mutex_;
  std::map<std::string, int64_t> durable_;
};

TEST_F(LogStoreTest, TakesWhatIsNewAndNeverLeavesAHole) {
  const auto logs = Open();
  EXPECT_EQ(*logs->Append(kAttempt, 0, "hello "), 6);
  EXPECT_EQ(*logs->Append(kAttempt, 0, "hello "), 6);       // A repeat.
  EXPECT_EQ(*logs->Append(kAttempt, 3, "lo world"), 11);    // An overlap.
  EXPECT_EQ(*logs->Append(kAttempt, 20, "too early"), 11);  // A hole: not taken.
  EXPECT_EQ(*logs->Append(kAttempt, -1, "nonsense"), 11);
  EXPECT_EQ(*logs->Read(kAttempt, 0, 1000), "hello world");
  EXPECT_EQ(*logs->Read(kAttempt, 6, 3), "wor");
  EXPECT_EQ(*logs->Read(kAttempt, 11, 10), "");
  EXPECT_EQ(*logs->Read("j9-amd64-1", 0, 10), "");
  EXPECT_EQ(logs->Size("j9-amd64-1"), 0);
}

TEST_F(LogStoreTest, TellsHowFarALogIsDurableAndKeepsItOverARestart) {
  auto logs = Open();
  ASSERT_TRUE(logs->Append(kAttempt, 0, "abc").ok());
  AwaitDurable(3);
  ASSERT_TRUE(logs->Append(kAttempt, 3, "def").ok());
  ASSERT_TRUE(logs->Sync(kAttempt).ok());
  logs.reset();
  logs = Open();
  EXPECT_EQ(logs->Size(kAttempt), 6);
  EXPECT_EQ(*logs->Append(kAttempt, 4, "ef!"), 7);
}

TEST_F(LogStoreTest, AFollowerWakesWhenThereIsMore) {
  const auto logs = Open();
  ASSERT_TRUE(logs->Append(kAttempt, 0, "abc").ok());
  std::thread writer([&] { ASSERT_TRUE(logs->Append(kAttempt, 3, "d").ok()); });
  logs->AwaitMore(kAttempt, 3, /*knows_end=*/false, absl::InfiniteFuture());
  EXPECT_EQ(*logs->Read(kAttempt, 3, 10), "d");
  writer.join();
}

TEST_F(LogStoreTest, AFollowerWakesOnceWhenTheAttemptHasFinished) {
  const auto logs = Open();
  ASSERT_TRUE(logs->Append(kAttempt, 0, "abc").ok());
  std::thread end([&] { logs->End(kAttempt); });
  logs->AwaitMore(kAttempt, 3, /*knows_end=*/false, absl::InfiniteFuture());
  end.join();
  // Who knows it waits for what may still come.
  std::thread writer([&] { ASSERT_TRUE(logs->Append(kAttempt, 3, "d").ok()); });
  logs->AwaitMore(kAttempt, 3, /*knows_end=*/true, absl::InfiniteFuture());
  EXPECT_EQ(logs->Size(kAttempt), 4);
  writer.join();
}

TEST_F(LogStoreTest, IdsThatAreNoneReachNoFile) {
  const auto logs = Open();
  for (const char* id : {"", "../../etc/passwd", "a/b", "-x", "a.b", "a b"}) {
    SCOPED_TRACE(id);
    EXPECT_EQ(logs->Append(id, 0, "x").status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(logs->Read(id, 0, 1).ok());
  }
}

TEST_F(LogStoreTest, ManyLogsMoreThanFilesCanBeOpen) {
  const auto logs = Open();
  for (int i = 0; i < 1500; ++i) {
    ASSERT_TRUE(logs->Append(absl::StrCat("j1-amd64-", i), 0, absl::StrCat(i)).ok());
  }
  for (int i = 0; i < 1500; ++i) {
    EXPECT_EQ(*logs->Read(absl::StrCat("j1-amd64-", i), 0, 10), absl::StrCat(i));
  }
}

TEST(LogStore, TheLastLinesAreFoundFromTheEnd) {
  TempDir dir = *TempDir::Make();
  LogStore logs(dir.path(), [](const std::string&, int64_t) {});
  ASSERT_TRUE(logs.Append("j1-amd64-1", 0, "one\ntwo\nthree\n").ok());
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 0), 14);
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 1), 8);
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 2), 4);
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 3), 0);
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 99), 0);
  EXPECT_EQ(*logs.OffsetOfTail("j1-arm64-1", 9), 0);
  // A line that is not finished is one; lines may be longer than a block.
  ASSERT_TRUE(logs.Append("j1-amd64-1", 14, std::string(200'000, 'x')).ok());
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 1), 14);
  EXPECT_EQ(*logs.OffsetOfTail("j1-amd64-1", 2), 8);
}

TEST(LogStore, TimesOfArrivalAreKeptToTheSecondAndOverRestarts) {
  TempDir dir = *TempDir::Make();
  const absl::Time start = absl::FromUnixSeconds(1'700'000'000);
  absl::Time now = start;
  const auto at = [&](int seconds) { return start + absl::Seconds(seconds); };
  const std::string id = "j1-amd64-1";
  {
    LogStore logs(
        dir.path(), [](const std::string&, int64_t) {}, [&] { return now; });
    ASSERT_TRUE(logs.Append(id, 0, "one\ntw").ok());
    now = at(5);
    ASSERT_TRUE(logs.Append(id, 6, "o\nthree\n").ok());
  }
  LogStore logs(
      dir.path(), [](const std::string&, int64_t) {}, [&] { return now; });
  ASSERT_TRUE(logs.Append(id, 14, "four\n").ok());
  now = at(9);
  ASSERT_TRUE(logs.Append(id, 19, "five\n").ok());
  EXPECT_EQ(*logs.OffsetSince(id, at(-100)), 0);
  EXPECT_EQ(*logs.OffsetSince(id, at(0)), 0);
  EXPECT_EQ(*logs.OffsetSince(id, at(1)), 4) << "the line that was finished then";
  EXPECT_EQ(*logs.OffsetSince(id, at(5)), 4);
  EXPECT_EQ(*logs.OffsetSince(id, at(6)), 19);
  EXPECT_EQ(*logs.OffsetSince(id, at(10)), 24);
  EXPECT_EQ(*logs.OffsetSince("j1-arm64-1", at(0)), 0);
}

TEST(LogStore, TimesOfBytesThatACrashHasTakenAreForgotten) {
  TempDir dir = *TempDir::Make();
  absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const absl::Time start = now;
  const std::string id = "j1-amd64-1";
  {
    LogStore logs(
        dir.path(), [](const std::string&, int64_t) {}, [&] { return now; });
    ASSERT_TRUE(logs.Append(id, 0, "one\n").ok());
    now += absl::Seconds(5);
    ASSERT_TRUE(logs.Append(id, 4, "lost\n").ok());
  }
  ASSERT_EQ(::truncate((dir.path() + "/j1/j1-amd64-1.log").c_str(), 4), 0);
  LogStore logs(
      dir.path(), [](const std::string&, int64_t) {}, [&] { return now; });
  now += absl::Seconds(5);
  ASSERT_TRUE(logs.Append(id, 4, "two\n").ok());
  EXPECT_EQ(*logs.OffsetSince(id, start + absl::Seconds(1)), 4);
}

}  // namespace
}  // namespace manyarch::controller
