// Which waiting build starts where, and why those that wait do.
#include <algorithm>

#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// How far behind the head of a lane a build is looked for when the head must go to another worker.
constexpr int kLookAhead = 16;
// Longer lanes are not told anew why they wait each time the set of workers changes.
constexpr size_t kMostTold = 1000;

WaitingBuild EntryOf(const Job& job, size_t build) {
  return {job.spec->priority, job.generation, build, job.id};
}

}  // namespace

Need Farm::NeedOf(const Job& job, size_t build) {
  return {job.builds[build].platform, job.spec->local_only, job.spec->emulation};
}

absl::btree_set<std::string> Farm::WorkersTried(const Build& build) const {
  absl::btree_set<std::string> tried;
  for (const Attempt& attempt : build.attempts) {
    if (attempt.counts) tried.insert(attempt.worker);
  }
  return tried;
}

// Puts a waiting build into its lane, or, with `not_before` ahead, lets a timer do so then.
void Farm::Enqueue(Job& job, size_t build_index, absl::Time not_before) {
  Build& build = job.builds[build_index];
  auto& waiting = std::get<BuildWaiting>(build.state);
  waiting.not_before = not_before;
  if (not_before > now_.steady) {
    At(not_before, BuildTimer{job.id, build_index});
    return;
  }
  waiting.not_before = absl::InfinitePast();
  const Need need = NeedOf(job, build_index);
  Lane& lane = lanes_[need];
  lane.servable = pool_.Servable(need);
  lane.waiting.insert(EntryOf(job, build_index));
  // Those ahead of it in the lane have had their chance already: only a new head can start now.
  if (lane.servable) PlaceBest({need});
  if (auto* still = std::get_if<BuildWaiting>(&build.state)) {
    const std::string why = pool_.Explain(need);
    still->reason = build.attempts.empty() ? why : still->reason + "; " + why;
    if (!lane.servable) {
      still->no_worker_since = now_.steady;
      const absl::Duration limit = PatienceFor(job, build);
      if (limit > absl::ZeroDuration()) At(now_.steady + limit, BuildTimer{job.id, build_index});
    }
    Progressed(job);
  }
}

void Farm::Dequeue(const Job& job, size_t build_index) {
  const auto lane = lanes_.find(NeedOf(job, build_index));
  if (lane == lanes_.end()) return;
  lane->second.waiting.erase(EntryOf(job, build_index));
}

// Starts waiting builds of these platforms for as long as any of them finds a worker.
void Farm::Dispatch(const std::vector<OfferedPlatform>& platforms) {
  std::vector<Need> needs;
  for (const OfferedPlatform& offered : platforms) {
    // All needs of one platform stand next to each other.
    auto lane = lanes_.lower_bound(Need{offered.platform, false, Emulation::kNever});
    while (lane != lanes_.end() && lane->first.platform == offered.platform) {
      if (lane->second.waiting.empty()) {
        lane = lanes_.erase(lane);
      } else {
        needs.push_back(lane->first);
        ++lane;
      }
    }
  }
  while (!needs.empty() && PlaceBest(needs)) {
  }
}

// Starts the first build, over these lanes, that a free worker can take; false when there is none.
bool Farm::PlaceBest(const std::vector<Need>& needs) {
  const WaitingBuild* best = nullptr;
  Lane* best_lane = nullptr;
  Placement best_placement;
  for (const Need& need : needs) {
    const auto it = lanes_.find(need);
    if (it == lanes_.end()) continue;
    int looked_at = 0;
    for (const WaitingBuild& entry : it->second.waiting) {
      if (best != nullptr && !(entry < *best)) break;
      if (++looked_at > kLookAhead) break;
      const auto placement =
          pool_.Choose(need, WorkersTried(jobs_.at(entry.job_id).builds[entry.build]));
      if (!placement) continue;
      best = &entry;
      best_lane = &it->second;
      best_placement = *placement;
      break;
    }
  }
  if (best == nullptr) return false;
  const WaitingBuild chosen = *best;
  best_lane->waiting.erase(chosen);
  Offer(jobs_.at(chosen.job_id), chosen.build, best_placement);
  return true;
}

// After a worker came, went, or changed what it offers.
void Farm::WorkerChanged(const Worker& worker, const std::vector<OfferedPlatform>& before) {
  std::vector<OfferedPlatform> platforms = worker.description.platforms;
  platforms.insert(platforms.end(), before.begin(), before.end());
  for (auto& [need, lane] : lanes_) {
    const bool servable = pool_.Servable(need);
    const bool flipped = servable != lane.servable;
    lane.servable = servable;
    // An explanation names every worker, so it may be out of date even where the verdict is the
    // same.
    if (flipped || (!servable && lane.waiting.size() <= kMostTold)) TellLane(need, lane, !flipped);
  }
  Dispatch(platforms);
}

void Farm::TellLane(const Need& need, Lane& lane, bool only_reason) {
  const std::string why = pool_.Explain(need);
  for (const WaitingBuild& entry : lane.waiting) {
    Job& job = jobs_.at(entry.job_id);
    auto& waiting = std::get<BuildWaiting>(job.builds[entry.build].state);
    waiting.reason = why;
    Progressed(job);
    if (only_reason) continue;
    waiting.no_worker_since = lane.servable ? absl::InfiniteFuture() : now_.steady;
    const absl::Duration limit = PatienceFor(job, job.builds[entry.build]);
    if (!lane.servable && limit > absl::ZeroDuration()) {
      At(now_.steady + limit, BuildTimer{job.id, entry.build});
    }
  }
}

}  // namespace manyarch::controller::core
