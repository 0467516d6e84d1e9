// Virtual time and seeded chance.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <random>
#include <utility>

#include "absl/time/time.h"

namespace manyarch::sim {

// Everything that happens, in order of time, then in order of scheduling. One thread.
class Scheduler {
 public:
  absl::Time now() const { return now_; }

  void At(absl::Time time, std::function<void()> what) {
    queue_.emplace(std::make_pair(std::max(time, now_), ++sequence_), std::move(what));
  }
  void After(absl::Duration delay, std::function<void()> what) {
    At(now_ + delay, std::move(what));
  }

  // Lets the next thing happen; false when there is none before `until`.
  bool Step(absl::Time until) {
    if (queue_.empty() || queue_.begin()->first.first > until) return false;
    now_ = queue_.begin()->first.first;
    const std::function<void()> what = std::move(queue_.begin()->second);
    queue_.erase(queue_.begin());
    what();
    return true;
  }

 private:
  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1000);
  uint64_t sequence_ = 0;
  std::map<std::pair<absl::Time, uint64_t>, std::function<void()>> queue_;
};

// All chance of a run comes from its seed.
class Chance {
 public:
  explicit Chance(uint64_t seed) : engine_(seed) {}

  uint64_t Bits() { return engine_(); }
  // 0 to n - 1. (The standard distributions differ from library to library.)
  uint64_t Below(uint64_t n) { return engine_() % n; }
  bool OneIn(uint64_t n) { return Below(n) == 0; }
  absl::Duration Between(absl::Duration low, absl::Duration high) {
    const double part = static_cast<double>(engine_() >> 11) * 0x1.0p-53;
    return low + (high - low) * part;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace manyarch::sim
