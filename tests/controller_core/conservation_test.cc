// No slot stays idle while a build waits that would start there: on random farms, whatever the
// builds ask for, and however many wait before it that may not start there.
#include <gtest/gtest.h>

#include <random>

#include "absl/strings/str_cat.h"
#include "controller/core/placement.h"

namespace manyarch::controller::core {
namespace {

const Now kNow{absl::UnixEpoch() + absl::Hours(1000), absl::UnixEpoch() + absl::Hours(900)};
const std::vector<std::string> kPlatforms = {"amd64", "386", "arm64", "s390x"};

class RandomFarm {
 public:
  explicit RandomFarm(uint64_t seed) : rng_(seed), queue_(Options(seed)) {
    const int workers = 1 + Below(12);
    for (int w = 0; w < workers; ++w) AddWorker(w);
    const int builds = Below(150);
    for (int b = 0; b < builds; ++b) AddBuild(b);
  }

  // Starts whatever the policy wants to; builds that have started, at most `slots`.
  void StartAll() {
    bool any = true;
    while (any) {
      any = false;
      for (const auto& of : pool_.classes()) {
        while (const std::optional<Decision> one = policy_.ForClass(*of, kNow)) {
          Start(*one);
          any = true;
        }
      }
    }
  }

  // What waits although it would start (of all, or of one build); empty: nothing.
  std::string IdleFor(const BuildKey* only = nullptr) {
    for (const auto& of : pool_.classes()) {
      if (of->free.empty()) continue;
      for (auto& [need, lane] : queue_.lanes()) {
        policy_.Refresh(lane);
        std::string found;
        queue_.ForEach(lane, [&, &its = lane](const WaitingBuild& build) {
          if (only != nullptr && build.key != *only) return;
          if (!queue_.MayStart(build.project)) return;
          if (policy_.WouldStart(its, *of, build, kNow)) {
            found = absl::StrCat(build.job_id, " waits for a slot of class ", of->index, ", which ",
                                 of->free.begin()->second, " has");
          }
        });
        if (!found.empty()) return found;
      }
    }
    return "";
  }

  // The build that has come last is looked at, whatever waits before it. What it changes for others
  // is looked at later.
  std::string NewestLeftOut() {
    const BuildKey key = AddBuild(1000);
    Lane& lane = queue_.LaneOf(need_);
    policy_.Refresh(lane);
    while (const std::optional<Decision> one = policy_.ForLane(lane, &key, kNow)) Start(*one);
    return IdleFor(&key);
  }
  int started() const { return started_; }

 private:
  static QueueOptions Options(uint64_t seed) {
    QueueOptions options;
    if (seed % 3 == 0) options.max_running = 4;
    return options;
  }
  int Below(int n) { return static_cast<int>(rng_() % static_cast<uint64_t>(n)); }
  bool OneOf(int n) { return Below(n) == 0; }
  Platform Any() { return *ParsePlatform(kPlatforms[static_cast<size_t>(Below(4))]); }

  void AddWorker(int number) {
    Worker worker;
    worker.description.id = worker.description.name = absl::StrCat("w", number);
    const Platform native = Any();
    worker.description.platforms.push_back({native, false});
    const Platform emulated = Any();
    if (!(emulated == native)) worker.description.platforms.push_back({emulated, true});
    worker.description.slots = 1 + Below(4);
    if (OneOf(2)) worker.description.labels["memory"] = OneOf(2) ? "4GiB" : "32GiB";
    if (OneOf(3)) worker.description.labels["disk"] = "nvme";
    worker.description.local = OneOf(4);
    worker.state = WorkerConnected{static_cast<uint64_t>(number) + 1};
    if (OneOf(8)) worker.admission = Admission::kCordoned;
    if (OneOf(2)) worker.steady_for = absl::Minutes(15 << Below(3));
    pool_.Redescribe(pool_.Insert(worker));
  }

  BuildKey AddBuild(int number) {
    need_ = {};
    need_.platform = Any();
    need_.policy = OneOf(3) ? Emulation::kNever : Emulation::kFallback;
    need_.local_only = OneOf(10);
    if (OneOf(3)) need_.memory_bytes = int64_t{OneOf(2) ? 8 : 64} << 30;
    if (OneOf(4)) need_.constraints = {{"disk", "nvme"}};
    pool_.Distinguish(need_);
    WaitingBuild build;
    build.key = {number, 0};
    build.job_id = absl::StrCat("j", number);
    build.project = absl::StrCat("p", Below(4));
    build.priority = Below(3);
    build.submitted = kNow.steady - absl::Minutes(Below(60));
    build.kind = {"reg/app", "", need_.platform};
    build.native = 60.0 * (1 << Below(8));
    build.emulated = 8 * build.native;
    build.expected = build.native;
    if (OneOf(4)) build.avoid = {absl::StrCat("w", Below(12))};
    queue_.Insert(need_, build);
    return build.key;
  }

  void Start(const Decision& decision) {
    ++started_;
    Worker& worker = *pool_.Find(decision.worker);
    ASSERT_LT(static_cast<int>(worker.occupied.size()), worker.description.slots);
    const std::string attempt = absl::StrCat(decision.job_id, "-1");
    worker.occupied.insert(attempt);
    worker.expected_end[attempt] = kNow.steady + absl::Seconds(decision.predicted);
    pool_.Reindex(worker);
    const std::string project = queue_.Find(decision.key)->project;
    queue_.Erase(decision.key);
    queue_.Started(project, decision.key, decision.predicted, kNow.steady);
  }

  std::mt19937_64 rng_;
  WorkerPool pool_;
  Estimates estimates_;
  WaitingQueue queue_;
  Policy policy_{&queue_, &pool_, &estimates_};
  Need need_;
  int started_ = 0;
};

TEST(NoSlotStaysIdle, WhileABuildWaitsThatWouldStartThere) {
  int started = 0;
  for (uint64_t seed = 1; seed <= 500; ++seed) {
    RandomFarm farm(seed);
    farm.StartAll();
    ASSERT_EQ(farm.IdleFor(), "") << "seed " << seed;
    ASSERT_EQ(farm.NewestLeftOut(), "") << "seed " << seed;
    started += farm.started();
  }
  EXPECT_GT(started, 500);
}

}  // namespace
}  // namespace manyarch::controller::core
