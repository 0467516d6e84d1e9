// Which builds start under emulation although they have a native home.
#include <algorithm>
#include <limits>

#include "controller/core/placement.h"

namespace manyarch::controller::core {

namespace {

// How far a lane is searched, from its start or its end, for a build that ends sooner elsewhere.
constexpr int kLookBehind = 64;
// What a guest is predicted to need is taken to be longer, for it is never moved back home.
constexpr double kGuestDoubt = 1.2;
// A hedged build is emulated once its native turn is further away than this and than it takes.
constexpr double kFarAway = 60;

}  // namespace

// Emulates a build that ends sooner so than at home: the first one that has waited for
// max_overtake, or, of the last ones in turn, the one that loses least by it.
std::optional<Decision> Policy::Guest(const Lane& lane, const WorkerClass* only, bool aged,
                                      Now now) {
  if (lane.size == 0 || !lane.need.MayBeGuest() || !AnyNative(lane.options)) return std::nullopt;
  double slots = 0;
  for (const Option& option : lane.options) {
    if (RoleOf(lane, option) == Role::kHome) slots += option.of->slots;
  }
  std::optional<Decision> found;
  for (const Option& option : lane.options) {
    if (RoleOf(lane, option) != Role::kGuest || (only != nullptr && option.of != only)) continue;
    if (option.of->free.empty()) continue;
    const double done = HomeDone(lane, now);
    const double part = Part(lane, *option.of, now);
    double least = std::numeric_limits<double>::infinity();
    const auto look = [&](const WaitingBuild& build) {
      // What has been learned since it was queued counts; a mere guess may be far off.
      const Estimate estimate = estimates_->Predict(build.kind, true, true);
      const double emulated = WithLosses(
          kGuestDoubt * absl::ToDoubleSeconds(estimate.mean + estimate.guessed * estimate.spread),
          option.of->steady_for);
      const double factor = emulated / std::max(1e-3, build.native);
      if (factor >= least) return false;
      // Its own end at home; the outlook has spread it as if it could be cut in pieces.
      const double home = done + build.native * (1 - (1 - part) / std::max(1.0, slots));
      const bool sooner = lane.need.policy == Emulation::kAllow && part > 0 && emulated < home;
      const bool hedged = lane.need.hedge && home - build.native > std::max(kFarAway, build.native);
      if (!sooner && !hedged) return false;
      std::optional<Decision> one = On(option, build, false, now);
      if (!one) return false;
      one->hedged = lane.need.hedge;
      found = std::move(one);
      least = factor;
      return aged;
    };
    if (aged) {
      queue_->VisitAgedGuests(lane, now.steady, kLookBehind, look);
    } else {
      queue_->VisitLastGuests(lane, kLookBehind, look);
    }
    if (found) return found;
  }
  return std::nullopt;
}

// Of these lanes: the oldest of those that have waited for max_overtake, else any.
std::optional<Decision> Policy::FirstGuest(const std::vector<const Lane*>& lanes,
                                           const WorkerClass* only, Now now) {
  std::optional<Decision> oldest;
  Turn turn;
  for (const Lane* lane : lanes) {
    std::optional<Decision> one = Guest(*lane, only, true, now);
    if (!one) continue;
    const Turn its = queue_->TurnOf(*queue_->Find(one->key), now.steady);
    if (oldest && !(its < turn)) continue;
    oldest = std::move(one);
    turn = its;
  }
  if (oldest) return oldest;
  for (const Lane* lane : lanes) {
    if (std::optional<Decision> one = Guest(*lane, only, false, now)) return one;
  }
  return std::nullopt;
}

}  // namespace manyarch::controller::core
