// The builds that wait: lanes of those that ask the same of a worker, a queue for each project in
// every lane, and the order in which they are to start.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "absl/time/time.h"
#include "controller/core/estimates.h"
#include "controller/core/pool.h"

namespace manyarch::controller::core {

// Names a build of a live job: the job's generation, and which of its builds.
using BuildKey = std::pair<int64_t, size_t>;

struct WaitingBuild {
  BuildKey key;
  std::string job_id;
  std::string project;
  int priority = 0;
  absl::Time submitted;  // Steady.
  BuildKind kind;
  double native = 0;               // Seconds it is predicted to take,
  double emulated = 0;             // and under emulation,
  double expected = 0;             // and in the way in which it is likely to be built,
  bool guessed = false;            // which rests on nothing learned.
  std::vector<std::string> avoid;  // Workers where it came to nothing.
  // It runs under emulation already, and is predicted to end there at this time (steady): it only
  // waits for a native slot.
  absl::Time emulated_until = absl::InfiniteFuture();
};

// When a build's turn is, among those that wait. First those that have waited for max_overtake, in
// the order of submission: they are overtaken by none submitted more than a tenth of it later. Then
// the project that has had the least; within it priority; then the time of submission less a head
// start that grows with the time it is predicted to take (so that the slowest platform of a job,
// and long builds altogether, go first), to max_overtake at most.
struct Turn {
  bool aged = false;
  double share = 0;
  int priority = 0;
  absl::Time batch;  // Of submission, to a tenth of max_overtake.
  absl::Time rank;
  BuildKey key;

  friend bool operator<(const Turn& a, const Turn& b) {
    if (a.aged != b.aged) return a.aged;
    if (a.aged) return std::tie(a.batch, a.rank, a.key) < std::tie(b.batch, b.rank, b.key);
    return std::tie(a.share, b.priority, a.rank, a.key) <
           std::tie(b.share, a.priority, b.rank, b.key);
  }
};

struct Lane {
  Need need;
  uint64_t id = 0;              // Of this lane alone.
  bool servable = false;        // As last told to the builds in it.
  std::vector<Option> options;  // As of `version` of the pool.
  uint64_t version = 0;
  size_t size = 0;
  double native = 0;    // Seconds that all in it are predicted to take,
  double emulated = 0;  // and under emulation.

 private:
  friend class WaitingQueue;
  using Rank = std::tuple<int, absl::Time, BuildKey>;  // Negated priority, see Turn.
  using Age = std::tuple<absl::Time, absl::Time, BuildKey>;
  struct ProjectQueue {
    absl::node_hash_map<BuildKey, WaitingBuild> builds;
    absl::btree_set<Rank> by_rank;
    absl::btree_set<Age> by_age;
    // Those that may start as guests.
    absl::btree_set<Rank> guests_by_rank;
    absl::btree_set<Age> guests_by_age;
    // As listed in the lane, to be taken out again.
    bool listed = false;
    double share = 0;
    Age oldest;
    bool has_guests = false;
    Age oldest_guest;
  };
  using Heads = std::set<std::pair<Age, int>>;  // The oldest of each project.
  std::map<int, ProjectQueue> projects;
  std::set<std::pair<double, int>> by_share;
  Heads by_age;
  Heads guests_by_age;
};

struct QueueOptions {
  absl::Duration max_overtake = absl::Minutes(30);
  int max_running = 0;  // Builds of one project at a time; 0: any number.
  absl::Duration forget_half = absl::Minutes(30);  // Half of what a project has had, after this.
};

// Every operation costs the logarithm of what waits, times the lanes of a project at most. Not
// thread-safe: it lives inside the farm.
class WaitingQueue {
 public:
  explicit WaitingQueue(QueueOptions options) : options_(options) {}

  Lane& LaneOf(const Need& need);
  std::map<Need, Lane>& lanes() { return lanes_; }
  const std::map<Need, Lane>& lanes() const { return lanes_; }

  // Puts it into its lane, in place of what has the same key.
  void Insert(const Need& need, WaitingBuild build);
  void Erase(const BuildKey& key);
  // It runs emulated now, and goes on waiting for a native slot, in a lane of such builds.
  // Null where nothing with this key waits.
  Lane* Hedge(const BuildKey& key, absl::Time emulated_until);
  // To be called when no lane is held: they stay until then, for a lane may fill again at once.
  void DropEmptyLanes();
  void ForEach(const Lane& lane, const std::function<void(const WaitingBuild&)>& visit) const;
  const WaitingBuild* Find(const BuildKey& key) const;
  const Lane* FindLane(const BuildKey& key) const;
  size_t size() const { return where_.size(); }
  size_t projects() const { return ids_.size(); }

  // A slot is given to a build of the project, predicted to need it for so long.
  void Started(const std::string& project, const BuildKey& build, double seconds, absl::Time now);
  // A slot is free again, which was used for so much longer, or shorter, than predicted.
  void Ended(const std::string& project, const BuildKey& build, double off, absl::Time now);
  // Whether the project may have another build run.
  bool MayStart(const std::string& project) const;

  // Whether the first that may be in its batch has waited for max_overtake: a batch ages as one.
  bool IsAged(const WaitingBuild& build, absl::Time now) const {
    return now - BatchOf(build.submitted) >= options_.max_overtake;
  }
  Turn TurnOf(const WaitingBuild& build, absl::Time now) const;

  // Those of a lane whose turn is next, in order, `most` of them, until `visit` returns true.
  void Visit(const Lane& lane, absl::Time now, int most,
             const std::function<bool(const WaitingBuild&)>& visit) const;
  // Of those that may start as guests the aged ones, in order.
  void VisitAgedGuests(const Lane& lane, absl::Time now, int most,
                       const std::function<bool(const WaitingBuild&)>& visit) const;
  // Of those that may start as guests the ones whose turn is last, the last one first.
  void VisitLastGuests(const Lane& lane, int most,
                       const std::function<bool(const WaitingBuild&)>& visit) const;
  // Seconds, natively and emulated, of what starts in its lane before a build, as far as it is
  // known: at most `most` builds are looked at, and it is among the last of longer queues.
  double Ahead(const BuildKey& key, bool emulated, int most) const;

 private:
  struct Project {
    double share = 0;                        // Seconds of slots, later ones weighing more.
    absl::btree_map<BuildKey, int> running;  // And how many slots each of them has.
    absl::btree_set<Need> lanes;             // In which it waits.
  };

  using Ages = absl::btree_set<Lane::Age> Lane::ProjectQueue::*;
  // The aged ones of all projects in one order; true once `visit` has returned true.
  bool VisitAged(const Lane& lane, const Lane::Heads& heads, Ages ages, absl::Time now,
                 const std::function<bool(const WaitingBuild&)>& visit) const;
  int IdOf(const std::string& project);
  void DropIdleProjects();
  bool IsFull(const Project& project) const;
  void Relist(Lane& lane, int project);
  void RelistAll(int project);
  double Weight(absl::Time now);
  absl::Time RankOf(const WaitingBuild& build) const;
  absl::Time BatchOf(absl::Time submitted) const;
  Lane::Age AgeOf(const WaitingBuild& build) const;

  const QueueOptions options_;
  std::map<Need, Lane> lanes_;  // Addresses stay.
  std::vector<Need> emptied_;   // Lanes that were empty since the last DropEmptyLanes.
  uint64_t last_lane_ = 0;
  absl::flat_hash_map<BuildKey, std::pair<Lane*, int>> where_;
  absl::flat_hash_map<std::string, int> ids_;
  std::vector<Project> projects_;
  std::vector<int> unused_;                  // Places in `projects_`.
  size_t sweep_at_ = 64;                     // Projects known when the idle ones are dropped.
  double weight_ = 1;                        // As last told by Weight.
  absl::Time epoch_ = absl::InfinitePast();  // When a second weighed a second.
};

}  // namespace manyarch::controller::core
