// The loop under many posting threads: durable before visible, and what a failing store does.
#include "controller/loop.h"

#include <atomic>
#include <condition_variable>
#include <mutex>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace manyarch::controller {
namespace {

// Keeps everything in memory; fails commits on demand. Guarded by one mutex.
class FakePorts : public EnginePorts {
 public:
  core::Now now() override {
    const absl::Time time = absl::UnixEpoch() + absl::Nanoseconds(++ticks_);
    return {time, time};
  }

  absl::StatusOr<core::FarmState> Load() override {
    const std::lock_guard lock(mutex_);
    ++loads;
    core::FarmState state;
    for (const auto& [id, job] : durable) state.jobs.push_back(job);
    return state;
  }

  absl::Status Commit(const core::Farm& farm, const core::Effects& effects) override {
    const std::lock_guard lock(mutex_);
    ++commits;
    if (fail_commits > 0) {
      --fail_commits;
      return absl::UnavailableError("the disk is gone");
    }
    for (const std::string& id : effects.jobs) durable[id] = *farm.FindJob(id);
    return absl::OkStatus();
  }

  void Show(const core::Farm&, const core::Effects&) override {}

  void Flush() override {
    const std::lock_guard lock(mutex_);
    ++turns;
    changed_.notify_all();
  }

  void CarryOut(const core::Effect& effect) override {
    const std::lock_guard lock(mutex_);
    const auto* answer = std::get_if<core::Answer>(&effect);
    if (answer == nullptr) return;
    if (answer->status.ok() && !durable.contains(answer->job_id)) ++answered_too_early;
    (answer->status.ok() ? answered_well : answered_badly) += 1;
    changed_.notify_all();
  }

  void StartOver(const absl::Status&) override {
    const std::lock_guard lock(mutex_);
    ++start_overs;
  }

  void AwaitAnswers(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return answered_well + answered_badly >= count; });
  }
  void AwaitTurns(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return turns >= count; });
  }
  int Read(const int& value) {
    const std::lock_guard lock(mutex_);
    return value;
  }
  void FailCommits(int count) {
    const std::lock_guard lock(mutex_);
    fail_commits = count;
  }

  std::map<std::string, core::Job> durable;
  int loads = 0;
  int turns = 0;
  int commits = 0;
  int fail_commits = 0;
  int answered_well = 0;
  int answered_badly = 0;
  int answered_too_early = 0;
  int start_overs = 0;

 private:
  std::atomic<int64_t> ticks_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

core::Submit SubmitOf(const std::string& id) {
  auto spec = std::make_shared<core::JobSpec>();
  spec->tags = {{"reg/app", "v1"}};
  spec->platforms = {{Platform{"linux", "amd64", ""}, false}};
  return {1, id, "key-" + id, "hash", spec, "", {}};
}

core::ListBuilder NoLists() {
  return
      [](const std::vector<core::ListEntry>&, core::ImageFormat) { return core::PublishIntent{}; };
}

TEST(Loop, AnswersOnlyWhatIsDurableAndSharesCommits) {
  FakePorts ports;
  Loop loop({}, NoLists(), &ports);
  ASSERT_TRUE(loop.Start().ok());
  constexpr int kThreads = 4;
  constexpr int kEach = 250;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&loop, t] {
      for (int i = 0; i < kEach; ++i) loop.Post(SubmitOf(absl::StrCat("j", t, "x", i)));
    });
  }
  for (std::thread& thread : threads) thread.join();
  ports.AwaitAnswers(kThreads * kEach);
  loop.Stop();
  EXPECT_EQ(ports.answered_well, kThreads * kEach);
  EXPECT_EQ(ports.answered_too_early, 0);
  EXPECT_LE(ports.commits, kThreads * kEach);
}

TEST(Loop, AFailedCommitIsToldToItsCallersAndNothingOfItStays) {
  FakePorts ports;
  Loop loop({}, NoLists(), &ports);
  ASSERT_TRUE(loop.Start().ok());
  ports.FailCommits(1);
  loop.Post(SubmitOf("j1"));
  ports.AwaitAnswers(1);
  EXPECT_EQ(ports.Read(ports.answered_badly), 1);
  // It recovers by itself, and takes what comes then.
  for (int i = 0; ports.Read(ports.answered_well) == 0; ++i) {
    loop.Post(SubmitOf(absl::StrCat("k", i)));
    ports.AwaitAnswers(2 + i);
  }
  loop.Stop();
  EXPECT_GE(ports.start_overs, 1);
  EXPECT_GE(ports.loads, 2);
  EXPECT_FALSE(ports.durable.contains("j1"));
}

TEST(Loop, HeartbeatsAreTakenTogetherAndNeedNoCallForIt) {
  FakePorts ports;
  Loop loop({}, NoLists(), &ports);
  ASSERT_TRUE(loop.Start().ok());
  const int before = ports.Read(ports.turns);
  constexpr int kHeartbeats = 1000;
  for (int i = 0; i < kHeartbeats; ++i) loop.Post(core::WorkerHeard{1});
  ports.AwaitTurns(before + 1);
  EXPECT_LT(ports.Read(ports.turns), before + kHeartbeats / 2);
  loop.Stop();
}

TEST(Loop, ACallIsTakenWithWhatWaits) {
  FakePorts ports;
  Loop loop({}, NoLists(), &ports);
  ASSERT_TRUE(loop.Start().ok());
  bool together = false;
  // A thread that is held up between the two makes two batches of them.
  for (int i = 0; i < 100 && !together; ++i) {
    const int before = ports.Read(ports.turns);
    loop.Post(core::WorkerHeard{1});
    loop.Post(SubmitOf(absl::StrCat("j", i)));
    ports.AwaitAnswers(i + 1);
    ports.AwaitTurns(before + 1);
    together = ports.Read(ports.turns) == before + 1;
  }
  loop.Stop();
  EXPECT_TRUE(together);
}

TEST(Loop, StopTakesWhatWasPostedBefore) {
  FakePorts ports;
  Loop loop({}, NoLists(), &ports);
  ASSERT_TRUE(loop.Start().ok());
  for (int i = 0; i < 100; ++i) loop.Post(SubmitOf(absl::StrCat("j", i)));
  loop.Stop();
  EXPECT_EQ(ports.durable.size(), 100U);
}

}  // namespace
}  // namespace manyarch::controller
