// How long builds take, learned from those that succeeded.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "common/base/platform.h"

namespace manyarch::controller::core {

// What takes about the same time whenever it is built.
struct BuildKind {
  std::string repository;
  std::string target;  // The Containerfile's stage; empty: the last one.
  Platform platform;
  friend auto operator<=>(const BuildKind&, const BuildKind&) = default;
};

// An exponentially decayed mean of seconds and its spread; nothing learned while `count` is zero.
struct Learned {
  double mean = 0;
  double variance = 0;
  int64_t count = 0;

  void Add(double seconds);
};

// A worker that has built a kind lately: it still has the context and the layers.
struct WarmWorker {
  std::string worker;
  absl::Time at;  // Wall.
};

// All that is known of one kind. `warm` and `cold` are builds on a worker that had, or had not,
// built it lately.
struct History {
  struct Mode {
    Learned warm;
    Learned cold;
  };
  Mode native;
  Mode emulated;
  // Of the repository's builds for the platform since the last emulated success of any of them:
  // kept with the kind that has no target.
  int64_t emulator_crashes = 0;
  std::vector<WarmWorker> warm_workers;  // At most four, the latest last.
  absl::Time updated_at;                 // Wall.

  Mode& Of(bool is_emulated) { return is_emulated ? emulated : native; }
  const Mode& Of(bool is_emulated) const { return is_emulated ? emulated : native; }
};

struct Estimate {
  absl::Duration mean;
  absl::Duration spread;  // One standard deviation; half the mean where nothing is known.
  // How far it is from what was seen: 0 where this kind was built in this mode, 1 in the other mode
  // only, 2 never.
  int guessed = 2;
  // Whether it rests on a prior: nothing of the repository was built yet, or nothing yet tells what
  // emulation costs on the platform.
  bool mere_guess = true;
};

// Where a kind was never built in a mode, the nearest thing known stands in: the other mode scaled
// by what emulation costs on that platform (8x until learned), the repository's other platforms,
// all builds. Bounded: the kinds that were not built for the longest time are forgotten. Not
// thread-safe: it lives inside the farm.
class Estimates {
 public:
  static constexpr size_t kMostKinds = 20'000;

  // As a store gives it back.
  void Restore(const BuildKind& kind, History history);

  Estimate Predict(const BuildKind& kind, bool emulated, bool warm) const;
  // Whether a worker has built the kind within the last day.
  bool IsWarm(const BuildKind& kind, const std::string& worker, absl::Time wall) const;
  const History* Find(const BuildKind& kind) const;
  // How many times as long as natively it takes under emulation.
  double EmulationFactor(const Platform& platform) const;

  void Succeeded(const BuildKind& kind, const std::string& worker, bool emulated,
                 absl::Duration took, absl::Time wall);
  // Whatever the target: which of a repository's stages it was says little.
  void EmulatorCrashed(const BuildKind& kind, absl::Time wall);
  int64_t EmulatorCrashes(const BuildKind& kind) const;

  // Kinds that changed since the last call; Find gives null for those that were forgotten.
  absl::btree_set<BuildKind> TakeChanged();

 private:
  History& Touch(const BuildKind& kind, absl::Time wall);
  // Seconds, and whether nothing like it was built yet.
  struct Native {
    double seconds = 0;
    bool mere_guess = false;
  };
  Native NativeOf(const BuildKind& kind) const;
  void LearnFactor(const Platform& platform, const History& history);

  absl::btree_map<BuildKind, History> kinds_;
  absl::btree_set<std::pair<absl::Time, BuildKind>> by_age_;
  absl::btree_map<Platform, Learned> factors_;
  Learned native_;  // Over everything.
  absl::btree_set<BuildKind> changed_;
};

}  // namespace manyarch::controller::core
