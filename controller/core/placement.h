// The policy: which waiting build starts where. It decides and changes nothing.
//
// Where workers offer a platform natively, that is the home of its builds; else emulation is. Work
// is taken up in two ways:
//   * a slot at home is free: the build whose turn it is (queue.h) starts there, on a worker that
//     has built the same lately where there is one;
//   * a slot is free and nothing that is at home there waits: a build that would be emulated there
//     although it has a native home may start as a guest, if its job allows emulation and it is
//     predicted to end sooner so than at home (or, hedged, if its turn at home is a long way off).
//     It is the one whose turn at home would be last.
// A worker that is lost again and again is a home of its own: a build goes there unless it is
// predicted to end sooner on a steadier one, waiting included; what is lost has to start anew. One
// that has waited for max_overtake and was never lost goes there before any later one does, unless
// a steadier one has a slot for it.
// Where several lanes are at home, those go first that the outlook (outlook.h) wants done there: a
// slot that only one lane can use is not taken by another that could as well go elsewhere.
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "controller/core/estimates.h"
#include "controller/core/outlook.h"
#include "controller/core/pool.h"
#include "controller/core/queue.h"

namespace manyarch::controller::core {

// A waiting build and the worker to offer it to.
struct Decision {
  BuildKey key;
  std::string job_id;
  std::string worker;
  bool emulated = false;
  bool hedged = false;   // It goes on waiting for a native slot.
  double predicted = 0;  // Seconds it will need the slot.
  bool mere_guess = false;
  // It would rather wait for a steadier worker, and is only not to be overtaken.
  bool reluctant = false;
};

// Reads the queue, the pool and the estimates, which outlive it. The cost of a decision depends on
// the number of lanes and classes, not of builds and workers. Not thread-safe.
class Policy {
 public:
  Policy(WaitingQueue* queue, const WorkerPool* pool, const Estimates* estimates)
      : queue_(queue), pool_(pool), estimates_(estimates) {}

  // The next build of the lane that can start anywhere, if any. `fresh` has just come: it is looked
  // at wherever it stands.
  std::optional<Decision> ForLane(const Lane& lane, const BuildKey* fresh, Now now);
  // The next build, over all lanes, for a free slot of the class.
  std::optional<Decision> ForClass(const WorkerClass& of, Now now);

  // Whether the build, were no other there, would start at home on the class now.
  bool WouldStart(const Lane& lane, const WorkerClass& of, const WaitingBuild& build, Now now);

  // Brings the lane's options up to date. To be called before a lane is looked at.
  void Refresh(Lane& lane) const;
  // Seconds until the classes at the lane's home have done all that waits for them.
  double HomeDone(const Lane& lane, Now now);
  // Whether any registered worker may ever take builds of the lane.
  static bool Servable(const Lane& lane);
  // Whether an attempt under emulation that is predicted to end then ends before a native one would
  // that starts now.
  static bool EndsSooner(absl::Time now, absl::Time emulated_until, const WaitingBuild& build) {
    return now + absl::Seconds(build.native) >= emulated_until;
  }
  // Whether builds of the lane are emulated when it is their turn.
  static bool HomeIsEmulated(const Lane& lane) { return !AnyNative(lane.options); }

 private:
  enum class Role { kNone, kHome, kGuest };
  // A class of workers that are lost less often than those of another one.
  struct Steadier {
    bool free = false;
    double wait = 0;  // Seconds until a slot there is predicted to be free.
    double steady_for = 0;
  };
  // A class at a lane's home with a free slot, as far as it is the same for all builds of the lane:
  // a decision looks at many of them.
  struct Place {
    Option option;
    // Seconds of the longest build that is rather to be here, and maybe lost, than to wait.
    double longest = std::numeric_limits<double>::infinity();
    bool steadier_free = false;  // Whether a slot of a steadier class is free as well.
  };
  static Role RoleOf(const Lane& lane, const Option& option);

  const Outlook& OutlookNow(Now now);
  double Part(const Lane& lane, const WorkerClass& of, Now now);
  std::vector<Place> FreeAtHome(const Lane& lane, const WorkerClass* only, Now now);
  std::vector<Steadier> SteadierThan(const Lane& lane, const Option& option,
                                     const std::vector<std::string>& avoid, Now now);
  static bool IsReluctant(double seconds, double steady_for, const std::vector<Steadier>& steadier);
  bool IsReluctant(const Lane& lane, const Place& place, const WaitingBuild& build, Now now);
  static bool TriedAll(const Lane& lane, const WaitingBuild& build);
  std::optional<Decision> Home(const Lane& lane, const std::vector<Place>& places,
                               const WaitingBuild& build, bool overtaken, Now now);
  static bool RunsOn(const Lane& lane, const WaitingBuild& build, Now now);
  // placement_guests.cc
  std::optional<Decision> Guest(const Lane& lane, const WorkerClass* only, bool aged, Now now);
  std::optional<Decision> FirstGuest(const std::vector<const Lane*>& lanes, const WorkerClass* only,
                                     Now now);
  static double WithLosses(double seconds, double steady_for);
  std::optional<Decision> On(const Option& option, const WaitingBuild& build, bool may_repeat,
                             Now now) const;
  Decision Make(const WaitingBuild& build, const std::string& worker, bool emulated, Now now) const;

  WaitingQueue* const queue_;
  const WorkerPool* const pool_;
  const Estimates* const estimates_;

  // Made anew once what it was made from has changed noticeably.
  Outlook outlook_;
  absl::flat_hash_map<uint64_t, size_t> outlook_lanes_;
  size_t outlook_size_ = 0;
  uint64_t outlook_version_ = 0;
  absl::Time outlook_at_ = absl::InfinitePast();
};

}  // namespace manyarch::controller::core
