// The policies that ours is compared with: what others do, on the same traces.
#include <algorithm>
#include <functional>
#include <map>
#include <queue>
#include <set>
#include <tuple>

#include "tests/bench/placement/result.h"

namespace manyarch::bench {

namespace {

class Simulation {
 public:
  Simulation(const Trace& trace, Rival rival)
      : trace_(trace), rival_(rival), runs_(trace.builds.size()), machines_(trace.workers.size()) {
    for (const TraceWorker& worker : trace.workers) {
      for (const int p : worker.native) any_native_.insert(p);
    }
  }

  void Run() {
    for (const auto& job : trace_.jobs) {
      events_.emplace(job.at, ++sequence_, [this, &job] {
        for (const int b : job.builds) Arrive(b);
      });
    }
    for (size_t w = 0; w < machines_.size(); ++w) {
      for (const auto& [from, until] : trace_.workers[w].down) {
        events_.emplace(from, ++sequence_, [this, w] { Die(w); });
        events_.emplace(until, ++sequence_, [this, w] {
          machines_[w].up = true;
          Fill(w);
        });
      }
    }
    while (!events_.empty()) {
      const auto [time, sequence, act] = events_.top();
      events_.pop();
      now_ = time;
      act();
    }
  }
  const Runs& runs() const { return runs_; }

 private:
  struct Machine {
    bool up = true;
    int life = 0;
    std::set<int> running;
    std::set<std::pair<int, int>> warm;
  };
  using Event = std::tuple<double, int64_t, std::function<void()>>;
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::tie(std::get<0>(a), std::get<1>(a)) > std::tie(std::get<0>(b), std::get<1>(b));
    }
  };
  enum class Way { kNone, kNative, kEmulated };

  const TraceJob& JobOf(int b) const {
    return trace_.jobs[static_cast<size_t>(trace_.builds[static_cast<size_t>(b)].job)];
  }
  bool HasRoom(size_t w) const {
    return machines_[w].up &&
           static_cast<int>(machines_[w].running.size()) < trace_.workers[w].slots;
  }
  Way WayOf(size_t w, int platform, bool allow) const {
    const TraceWorker& worker = trace_.workers[w];
    if (Offers(worker.native, platform)) return Way::kNative;
    if (!Offers(worker.emulated, platform)) return Way::kNone;
    if (!any_native_.contains(platform)) return Way::kEmulated;
    return allow && rival_ != Rival::kFifo ? Way::kEmulated : Way::kNone;
  }

  void Arrive(int b) {
    const int platform = trace_.builds[static_cast<size_t>(b)].platform;
    const bool allow = JobOf(b).allow;
    int best = -1;
    std::tuple<int, double, int> best_by;
    for (size_t w = 0; w < machines_.size(); ++w) {
      const Way way = WayOf(w, platform, allow);
      if (way == Way::kNone || !HasRoom(w)) continue;
      const double load =
          static_cast<double>(machines_[w].running.size()) / trace_.workers[w].slots;
      const int index = static_cast<int>(w);
      const std::tuple<int, double, int> by =
          rival_ == Rival::kLeastLoaded ? std::make_tuple(0, load, index)
                                        : std::make_tuple(way == Way::kNative ? 0 : 1, 0.0, index);
      if (best >= 0 && by >= best_by) continue;
      best = index;
      best_by = by;
    }
    if (best >= 0) {
      Start(b, static_cast<size_t>(best));
    } else {
      waiting_[{platform, allow}].insert(Order(b));
    }
  }

  // The earliest submission that the machine can take; where natives are preferred, those first.
  void Fill(size_t w) {
    while (HasRoom(w)) {
      int best = -1;
      for (const bool native_only : {true, false}) {
        if (native_only && rival_ != Rival::kFirstNative) continue;
        for (const auto& [key, builds] : waiting_) {
          const Way way = WayOf(w, key.first, key.second);
          if (builds.empty() || way == Way::kNone) continue;
          if (native_only && way != Way::kNative) continue;
          if (best < 0 || *builds.begin() < Order(best)) best = builds.begin()->second;
        }
        if (best >= 0) break;
      }
      if (best < 0) return;
      waiting_[{trace_.builds[static_cast<size_t>(best)].platform, JobOf(best).allow}].erase(
          Order(best));
      Start(best, w);
    }
  }
  std::pair<int, int> Order(int b) const { return {trace_.builds[static_cast<size_t>(b)].job, b}; }

  void Start(int b, size_t w) {
    const TraceBuild& build = trace_.builds[static_cast<size_t>(b)];
    const bool emulated = !Offers(trace_.workers[w].native, build.platform);
    const auto kind = std::make_pair(JobOf(b).repository, build.platform);
    double seconds = emulated ? build.emulated : build.native;
    if (!machines_[w].warm.contains(kind)) seconds += kCold;
    machines_[w].running.insert(b);
    runs_.start[static_cast<size_t>(b)] = now_;
    runs_.emulated[static_cast<size_t>(b)] = emulated;
    events_.emplace(now_ + seconds, ++sequence_, [this, b, w, kind, life = machines_[w].life] {
      if (machines_[w].life != life) return;
      machines_[w].warm.insert(kind);
      machines_[w].running.erase(b);
      runs_.end[static_cast<size_t>(b)] = now_;
      Fill(w);
    });
  }

  void Die(size_t w) {
    machines_[w].up = false;
    ++machines_[w].life;
    const std::set<int> lost = std::move(machines_[w].running);
    machines_[w].running.clear();
    for (const int b : lost) Arrive(b);
  }

  const Trace& trace_;
  const Rival rival_;
  Runs runs_;
  std::vector<Machine> machines_;
  std::set<int> any_native_;
  std::map<std::pair<int, bool>, std::set<std::pair<int, int>>> waiting_;  // Job, build.
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  int64_t sequence_ = 0;
  double now_ = 0;
};

}  // namespace

Result RunRival(const Trace& trace, Rival rival, Runs* runs_out) {
  static const char* const kNames[] = {"first-native", "least-loaded", "fifo"};
  Simulation simulation(trace, rival);
  simulation.Run();
  if (runs_out != nullptr) *runs_out = simulation.runs();
  return Summarise(kNames[static_cast<int>(rival)], trace, simulation.runs());
}

}  // namespace manyarch::bench
