#include "controller/core/estimates.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace manyarch::controller::core {

namespace {

constexpr double kNewest = 0.3;          // Weight of the newest sample, once there are some.
constexpr double kEmulationPrior = 8.0;  // Times as long as natively.
constexpr double kColdPrior = 1.25;      // Times as long as on a warm worker.
constexpr double kNativePrior = 120.0;   // Seconds, for a farm that has built nothing yet.
constexpr double kPriorSpread = 0.5;     // Of the mean.
constexpr size_t kMostWarm = 4;          // Workers remembered for one kind.
constexpr absl::Duration kWarmFor = absl::Hours(24);

// The mean in a mode, from the other warmth where there is nothing else; zero: nothing known.
double MeanOf(const History::Mode& mode, bool warm) {
  const Learned& own = warm ? mode.warm : mode.cold;
  if (own.count > 0) return own.mean;
  const Learned& other = warm ? mode.cold : mode.warm;
  if (other.count == 0) return 0;
  return warm ? other.mean / kColdPrior : other.mean * kColdPrior;
}

// Where the crashes of a repository's platform are counted.
BuildKind WithoutTarget(const BuildKind& kind) { return {kind.repository, "", kind.platform}; }

}  // namespace

void Learned::Add(double seconds) {
  ++count;
  const double weight = std::max(kNewest, 1.0 / static_cast<double>(count));
  const double delta = seconds - mean;
  mean += weight * delta;
  variance = (1 - weight) * (variance + weight * delta * delta);
}

const History* Estimates::Find(const BuildKind& kind) const {
  const auto it = kinds_.find(kind);
  return it == kinds_.end() ? nullptr : &it->second;
}

void Estimates::LearnFactor(const Platform& platform, const History& history) {
  const double native = MeanOf(history.native, true);
  const double emulated = MeanOf(history.emulated, true);
  if (native > 0 && emulated > 0) factors_[platform].Add(emulated / native);
}

void Estimates::Restore(const BuildKind& kind, History history) {
  // They may have been counted for each target; and the kind that has them may be there already.
  if (const int64_t crashes = std::exchange(history.emulator_crashes, 0); crashes > 0) {
    const BuildKind counted = WithoutTarget(kind);
    (counted == kind ? history : Touch(counted, history.updated_at)).emulator_crashes += crashes;
    if (counted != kind) changed_.insert(kind);
  }
  if (const auto known = kinds_.find(kind); known != kinds_.end()) {
    history.emulator_crashes += known->second.emulator_crashes;
    by_age_.erase({known->second.updated_at, kind});
  }
  if (const double native = MeanOf(history.native, true); native > 0) native_.Add(native);
  LearnFactor(kind.platform, history);
  by_age_.emplace(history.updated_at, kind);
  kinds_[kind] = std::move(history);
}

double Estimates::EmulationFactor(const Platform& platform) const {
  const auto it = factors_.find(platform);
  return it == factors_.end() ? kEmulationPrior : std::max(1.0, it->second.mean);
}

// What it would take natively on a warm worker, by the nearest thing known.
Estimates::Native Estimates::NativeOf(const BuildKind& kind) const {
  const auto native_of = [this](const BuildKind& of, const History& history) -> Native {
    const double native = MeanOf(history.native, true);
    if (native > 0) return {native, false};
    return {MeanOf(history.emulated, true) / EmulationFactor(of.platform),
            !factors_.contains(of.platform)};
  };
  if (const History* own = Find(kind)) {
    if (const Native native = native_of(kind, *own); native.seconds > 0) return native;
  }
  // The same stage on other platforms, else other stages: they stand next to each other.
  for (const bool same_target : {true, false}) {
    Native sum;
    int known = 0;
    for (auto it = kinds_.lower_bound({kind.repository, same_target ? kind.target : "", {}});
         it != kinds_.end() && it->first.repository == kind.repository && known < 16; ++it) {
      if (same_target && it->first.target != kind.target) break;
      const Native one = native_of(it->first, it->second);
      if (one.seconds <= 0) continue;
      sum.seconds += one.seconds;
      sum.mere_guess |= one.mere_guess;
      ++known;
    }
    if (known > 0) return {sum.seconds / known, sum.mere_guess};
  }
  return {native_.count > 0 ? native_.mean : kNativePrior, true};
}

Estimate Estimates::Predict(const BuildKind& kind, bool emulated, bool warm) const {
  const History* own = Find(kind);
  if (own != nullptr) {
    const History::Mode& mode = own->Of(emulated);
    if (const double mean = MeanOf(mode, warm); mean > 0) {
      const Learned& learned = (warm ? mode.warm : mode.cold).count > 0
                                   ? (warm ? mode.warm : mode.cold)
                                   : (warm ? mode.cold : mode.warm);
      const double spread = learned.count > 1 ? std::sqrt(learned.variance) : mean * kPriorSpread;
      return {absl::Seconds(mean), absl::Seconds(spread), 0, false};
    }
  }
  auto [seconds, mere_guess] = NativeOf(kind);
  if (emulated) {
    seconds *= EmulationFactor(kind.platform);
    mere_guess |= !factors_.contains(kind.platform);
  }
  if (!warm) seconds *= kColdPrior;
  const bool other_mode = own != nullptr && MeanOf(own->Of(!emulated), warm) > 0;
  return {absl::Seconds(seconds), absl::Seconds(seconds * kPriorSpread), other_mode ? 1 : 2,
          mere_guess};
}

bool Estimates::IsWarm(const BuildKind& kind, const std::string& worker, absl::Time wall) const {
  const History* own = Find(kind);
  if (own == nullptr) return false;
  return std::any_of(
      own->warm_workers.begin(), own->warm_workers.end(),
      [&](const WarmWorker& warm) { return warm.worker == worker && wall - warm.at < kWarmFor; });
}

History& Estimates::Touch(const BuildKind& kind, absl::Time wall) {
  const auto [it, fresh] = kinds_.try_emplace(kind);
  if (!fresh) by_age_.erase({it->second.updated_at, kind});
  it->second.updated_at = wall;
  by_age_.emplace(wall, kind);
  changed_.insert(kind);
  if (kinds_.size() <= kMostKinds) return it->second;
  const BuildKind oldest = by_age_.begin()->second;
  by_age_.erase(by_age_.begin());
  kinds_.erase(oldest);
  changed_.insert(oldest);
  return kinds_[kind];
}

void Estimates::Succeeded(const BuildKind& kind, const std::string& worker, bool emulated,
                          absl::Duration took, absl::Time wall) {
  const bool warm = IsWarm(kind, worker, wall);
  if (emulated && EmulatorCrashes(kind) > 0) Touch(WithoutTarget(kind), wall).emulator_crashes = 0;
  History& history = Touch(kind, wall);
  const double seconds = std::max(0.001, absl::ToDoubleSeconds(took));
  (warm ? history.Of(emulated).warm : history.Of(emulated).cold).Add(seconds);
  if (!emulated) native_.Add(warm ? seconds : seconds / kColdPrior);
  LearnFactor(kind.platform, history);
  std::vector<WarmWorker>& workers = history.warm_workers;
  std::erase_if(workers, [&](const WarmWorker& known) { return known.worker == worker; });
  workers.push_back({worker, wall});
  if (workers.size() > kMostWarm) workers.erase(workers.begin());
}

void Estimates::EmulatorCrashed(const BuildKind& kind, absl::Time wall) {
  ++Touch(WithoutTarget(kind), wall).emulator_crashes;
}

int64_t Estimates::EmulatorCrashes(const BuildKind& kind) const {
  const History* history = Find(WithoutTarget(kind));
  return history == nullptr ? 0 : history->emulator_crashes;
}

absl::btree_set<BuildKind> Estimates::TakeChanged() {
  absl::btree_set<BuildKind> changed;
  changed.swap(changed_);
  return changed;
}

}  // namespace manyarch::controller::core
