#include "controller/core/placement.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

namespace manyarch::controller::core {

namespace {

// How far behind the first of a lane a build is looked for that may go where those before it may
// not: when something was submitted, and when a slot has become free.
constexpr int kGlance = 16;
constexpr int kLookAhead = 128;
// An outlook serves for this long, and while the queue has this part of its length more or less.
constexpr absl::Duration kOutlookFor = absl::Seconds(5);
constexpr double kOutlookChange = 0.05;
// What takes so many times as long as its worker usually lasts does not end there.
constexpr double kMostLosses = 20;

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

double SteadySeconds(absl::Time time) { return absl::ToDoubleSeconds(time - absl::UnixEpoch()); }

}  // namespace

// Seconds until a build ends well that starts anew whenever its worker is lost, which happens
// `steady_for` seconds apart, more or less; 0: hardly ever.
double Policy::WithLosses(double seconds, double steady_for) {
  if (steady_for <= 0 || std::isinf(seconds)) return seconds;
  return steady_for * std::expm1(std::min(kMostLosses, seconds / steady_for));
}

void Policy::Refresh(Lane& lane) const {
  if (lane.version == pool_->version()) return;
  lane.options = pool_->OptionsFor(lane.need);
  lane.version = pool_->version();
}

bool Policy::Servable(const Lane& lane) {
  return std::any_of(lane.options.begin(), lane.options.end(),
                     [](const Option& option) { return !option.of->registered.empty(); });
}

Policy::Role Policy::RoleOf(const Lane& lane, const Option& option) {
  if (lane.need.beside) return option.emulated ? Role::kNone : Role::kHome;
  if (!option.emulated || !AnyNative(lane.options)) return Role::kHome;
  return lane.need.MayBeGuest() ? Role::kGuest : Role::kNone;
}

const Outlook& Policy::OutlookNow(Now now) {
  const size_t size = queue_->size();
  const size_t off = size > outlook_size_ ? size - outlook_size_ : outlook_size_ - size;
  if (now.steady - outlook_at_ < kOutlookFor && now.steady >= outlook_at_ &&
      outlook_version_ == pool_->version() &&
      static_cast<double>(off) <= kOutlookChange * static_cast<double>(size)) {
    return outlook_;
  }
  const double at = SteadySeconds(now.steady);
  std::vector<ClassLoad> classes;
  for (const auto& of : pool_->classes()) {
    // What runs over its time is taken to need a little longer still.
    classes.push_back(
        {static_cast<double>(of->slots), std::max(of->busy_until - at * of->busy, 1.0 * of->busy)});
  }
  std::vector<LaneWork> lanes;
  outlook_lanes_.clear();
  for (auto& [need, lane] : queue_->lanes()) {
    if (lane.size == 0) continue;
    Refresh(lane);
    LaneWork& work = lanes.emplace_back();
    for (const Option& option : lane.options) {
      const double all = RoleOf(lane, option) == Role::kNone
                             ? std::numeric_limits<double>::infinity()
                         : option.emulated ? lane.emulated
                                           : lane.native;
      const double builds = static_cast<double>(lane.size);
      const double each = WithLosses(all / builds, option.of->steady_for);
      work.choices.push_back({option.of->index, each * builds, each});
    }
    outlook_lanes_[lane.id] = lanes.size() - 1;
  }
  outlook_ = Spread(classes, lanes);
  outlook_size_ = size;
  outlook_version_ = pool_->version();
  outlook_at_ = now.steady;
  return outlook_;
}

double Policy::Part(const Lane& lane, const WorkerClass& of, Now now) {
  const Outlook& outlook = OutlookNow(now);
  const auto at = outlook_lanes_.find(lane.id);
  if (at == outlook_lanes_.end()) return 1;  // It was empty then.
  for (size_t o = 0; o < lane.options.size(); ++o) {
    if (lane.options[o].of == &of) return outlook.part[at->second][o];
  }
  return 0;
}

double Policy::HomeDone(const Lane& lane, Now now) {
  const Outlook& outlook = OutlookNow(now);
  double done = std::numeric_limits<double>::infinity();
  for (const Option& option : lane.options) {
    if (RoleOf(lane, option) != Role::kHome || option.of->registered.empty()) continue;
    done = std::min(done, outlook.until_done[option.of->index]);
  }
  return done;
}

Decision Policy::Make(const WaitingBuild& build, const std::string& worker, bool emulated,
                      Now now) const {
  const bool warm = estimates_->IsWarm(build.kind, worker, now.wall);
  const Estimate estimate = estimates_->Predict(build.kind, emulated, warm);
  Decision one;
  one.key = build.key;
  one.job_id = build.job_id;
  one.worker = worker;
  one.emulated = emulated;
  one.predicted = absl::ToDoubleSeconds(estimate.mean);
  one.mere_guess = estimate.mere_guess;
  return one;
}

// A free worker of the class, one that is warm before others, then the one with the fewest
// attempts.
std::optional<Decision> Policy::On(const Option& option, const WaitingBuild& build, bool may_repeat,
                                   Now now) const {
  if (option.of->free.empty()) return std::nullopt;
  const auto fits = [&](const std::string& id) { return may_repeat || !Contains(build.avoid, id); };
  if (const History* history = estimates_->Find(build.kind)) {
    for (auto warm = history->warm_workers.rbegin(); warm != history->warm_workers.rend(); ++warm) {
      const Worker* worker = pool_->Find(warm->worker);
      if (worker == nullptr || pool_->ClassOf(warm->worker) != option.of || !fits(warm->worker)) {
        continue;
      }
      const int load = static_cast<int>(worker->occupied.size());
      if (option.of->free.contains({load, warm->worker})) {
        return Make(build, warm->worker, option.emulated, now);
      }
    }
  }
  for (const auto& [load, id] : option.of->free) {
    if (fits(id)) return Make(build, id, option.emulated, now);
  }
  return std::nullopt;
}

// The classes where a build would not be lost so often as here, as far as it has not been tried
// on all of their workers.
std::vector<Policy::Steadier> Policy::SteadierThan(const Lane& lane, const Option& option,
                                                   const std::vector<std::string>& avoid, Now now) {
  const double steady_for = option.of->steady_for;
  std::vector<Steadier> steadier;
  if (steady_for <= 0) return steadier;
  for (const Option& other : lane.options) {
    if (RoleOf(lane, other) != Role::kHome) continue;
    if (other.of->steady_for > 0 && other.of->steady_for <= steady_for) continue;
    const auto tried = std::count_if(avoid.begin(), avoid.end(), [&](const std::string& id) {
      return other.of->registered.contains(id);
    });
    if (other.of->registered.size() == static_cast<size_t>(tried)) continue;
    const bool now_free =
        std::any_of(other.of->free.begin(), other.of->free.end(),
                    [&](const auto& slot) { return !Contains(avoid, slot.second); });
    const double wait = now_free ? 0.0 : OutlookNow(now).until_done[other.of->index];
    steadier.push_back({now_free, wait, other.of->steady_for});
  }
  return steadier;
}

// Whether a build of so many seconds that may be lost here is rather to wait for one of those.
bool Policy::IsReluctant(double seconds, double steady_for, const std::vector<Steadier>& steadier) {
  const double here = WithLosses(seconds, steady_for);
  return std::any_of(steadier.begin(), steadier.end(), [&](const Steadier& other) {
    return other.wait + WithLosses(seconds, other.steady_for) < here;
  });
}

// The slots that are free at home, of this class only if one is given.
std::vector<Policy::Place> Policy::FreeAtHome(const Lane& lane, const WorkerClass* only, Now now) {
  std::vector<Place> places;
  for (const Option& option : lane.options) {
    if (RoleOf(lane, option) != Role::kHome || (only != nullptr && option.of != only)) continue;
    if (option.of->free.empty()) continue;
    Place& place = places.emplace_back(Place{option});
    const std::vector<Steadier> steadier = SteadierThan(lane, option, {}, now);
    if (steadier.empty()) continue;
    place.steadier_free = std::any_of(steadier.begin(), steadier.end(),
                                      [](const Steadier& other) { return other.free; });
    if (place.steadier_free) {
      place.longest = 0;
      continue;
    }
    // The longer a build is, the more of it losses cost.
    const double steady_for = option.of->steady_for;
    double refused = kMostLosses * steady_for;
    if (!IsReluctant(refused, steady_for, steadier)) continue;
    place.longest = 0;
    while (refused - place.longest > 1e-3 * refused) {
      const double middle = (place.longest + refused) / 2;
      (IsReluctant(middle, steady_for, steadier) ? refused : place.longest) = middle;
    }
  }
  return places;
}

// Whether the build would rather wait for a worker that is lost less often.
bool Policy::IsReluctant(const Lane& lane, const Place& place, const WaitingBuild& build, Now now) {
  const double seconds = place.option.emulated ? build.emulated : build.native;
  if (seconds <= place.longest) return false;
  // One that may not go everywhere has fewer to wait for.
  return build.avoid.empty() || IsReluctant(seconds, place.option.of->steady_for,
                                            SteadierThan(lane, place.option, build.avoid, now));
}

// Whether it came to nothing on every worker at home: only then any of them is taken again.
bool Policy::TriedAll(const Lane& lane, const WaitingBuild& build) {
  if (build.avoid.empty()) return false;
  size_t others = 0;
  for (const Option& option : lane.options) {
    if (RoleOf(lane, option) != Role::kHome) continue;
    others += option.of->registered.size();
    for (const std::string& id : build.avoid) {
      if (option.of->registered.contains(id)) --others;
    }
  }
  return others == 0;
}

// Starts the build in one of these places; where it would rather not only if it is `overtaken` else
// and has no better slot to go to.
std::optional<Decision> Policy::Home(const Lane& lane, const std::vector<Place>& places,
                                     const WaitingBuild& build, bool overtaken, Now now) {
  std::optional<Decision> best;
  auto best_by = std::make_tuple(true, std::numeric_limits<double>::infinity(), size_t{0}, 0.0);
  for (const Place& place : places) {
    const WorkerClass& of = *place.option.of;
    const bool reluctant = IsReluctant(lane, place, build, now);
    if (reluctant && (!overtaken || place.steadier_free)) continue;
    std::optional<Decision> one = On(place.option, build, TriedAll(lane, build), now);
    if (!one) continue;
    one->reluctant = reluctant;
    // Where it ends first; among equals the class that others could use least, then the idlest.
    const auto by =
        std::make_tuple(reluctant, WithLosses(one->predicted, of.steady_for), of.platforms.size(),
                        static_cast<double>(of.busy) / std::max(1, of.slots));
    if (best && !(by < best_by)) continue;
    best = std::move(one);
    best_by = by;
  }
  return best;
}

// Whether it runs emulated already, and is left at that: there is no native worker, or it would not
// end sooner if it started natively as well.
bool Policy::RunsOn(const Lane& lane, const WaitingBuild& build, Now now) {
  // One that takes longer than was predicted may take any time.
  return lane.need.beside && now.steady < build.emulated_until &&
         (HomeIsEmulated(lane) || EndsSooner(now.steady, build.emulated_until, build));
}

bool Policy::WouldStart(const Lane& lane, const WorkerClass& of, const WaitingBuild& build,
                        Now now) {
  return !RunsOn(lane, build, now) &&
         Home(lane, FreeAtHome(lane, &of, now), build, false, now).has_value();
}

std::optional<Decision> Policy::ForLane(const Lane& lane, const BuildKey* fresh, Now now) {
  std::optional<Decision> found;
  const std::vector<Place> places = FreeAtHome(lane, nullptr, now);
  if (!places.empty()) {
    const auto look = [&](const WaitingBuild& build) {
      if (!RunsOn(lane, build, now)) found = Home(lane, places, build, false, now);
      return found.has_value();
    };
    queue_->Visit(lane, now.steady, kGlance, look);
    const WaitingBuild* build = fresh == nullptr || found ? nullptr : queue_->Find(*fresh);
    if (build != nullptr && queue_->MayStart(build->project)) look(*build);
  }
  const bool is_guest = !found;
  if (is_guest) found = FirstGuest({&lane}, nullptr, now);
  if (!found) return std::nullopt;
  // Others may have been waiting for something better than this slot, or for longer.
  const WorkerClass* of = pool_->ClassOf(found->worker);
  if (!is_guest && of->steady_for <= 0) return found;
  std::optional<Decision> first = ForClass(*of, now);
  return first ? first : found;
}

std::optional<Decision> Policy::ForClass(const WorkerClass& of, Now now) {
  if (of.free.empty()) return std::nullopt;
  struct Candidate {
    const Lane* lane;
    Turn turn;
    Decision decision;
  };
  std::vector<Candidate> home;
  std::optional<Candidate> reluctant;  // The first of those.
  std::vector<const Lane*> guests;
  const auto earlier = [](const Candidate& a, const Candidate& b) { return a.turn < b.turn; };
  for (auto& [need, lane] : queue_->lanes()) {
    if (lane.size == 0) continue;
    Refresh(lane);
    for (const Option& option : lane.options) {
      if (option.of != &of) continue;
      const Role role = RoleOf(lane, option);
      if (role == Role::kGuest) guests.push_back(&lane);
      if (role != Role::kHome) continue;
      const std::vector<Place> places = FreeAtHome(lane, &of, now);
      bool first = true;  // Only the first reluctant one of a lane can be the first of all.
      queue_->Visit(lane, now.steady, kLookAhead, [&, &its = lane](const WaitingBuild& build) {
        if (RunsOn(its, build, now)) return false;
        const bool overtaken = first && build.avoid.empty() && queue_->IsAged(build, now.steady);
        std::optional<Decision> one = Home(its, places, build, overtaken, now);
        if (!one) return false;
        Candidate candidate{&its, queue_->TurnOf(build, now.steady), *std::move(one)};
        if (candidate.decision.reluctant) {
          first = false;
          if (!reluctant || earlier(candidate, *reluctant)) reluctant = std::move(candidate);
          return false;
        }
        home.push_back(std::move(candidate));
        return true;
      });
    }
  }
  std::stable_sort(home.begin(), home.end(), earlier);
  if (!home.empty() && reluctant &&
      (!home.front().turn.aged || reluctant->turn.batch < home.front().turn.batch)) {
    return reluctant->decision;
  }
  if (home.size() > 1 && !home.front().turn.aged) {
    for (const Candidate& candidate : home) {
      if (Part(*candidate.lane, of, now) > 0) return candidate.decision;
    }
  }
  if (!home.empty()) return home.front().decision;
  return FirstGuest(guests, &of, now);
}

}  // namespace manyarch::controller::core
