#include "controller/core/queue.h"

#include <algorithm>
#include <cmath>

namespace manyarch::controller::core {

Lane& WaitingQueue::LaneOf(const Need& need) {
  const auto [it, fresh] = lanes_.try_emplace(need);
  if (fresh) {
    it->second.need = need;
    it->second.id = ++last_lane_;
    emptied_.push_back(need);
  }
  return it->second;
}

int WaitingQueue::IdOf(const std::string& project) {
  if (const auto known = ids_.find(project); known != ids_.end()) return known->second;
  if (ids_.size() >= sweep_at_) DropIdleProjects();
  if (unused_.empty()) {
    unused_.push_back(static_cast<int>(projects_.size()));
    projects_.emplace_back();
  }
  const int id = unused_.back();
  unused_.pop_back();
  ids_[project] = id;
  return id;
}

// Those that have nothing here and have had less than a second lately: as good as new ones.
void WaitingQueue::DropIdleProjects() {
  absl::erase_if(ids_, [this](const auto& known) {
    Project& project = projects_[static_cast<size_t>(known.second)];
    if (!project.lanes.empty() || !project.running.empty() || project.share >= weight_)
      return false;
    project = {};
    unused_.push_back(known.second);
    return true;
  });
  sweep_at_ = std::max(size_t{64}, 2 * ids_.size());
}

absl::Time WaitingQueue::RankOf(const WaitingBuild& build) const {
  const double most = absl::ToDoubleSeconds(options_.max_overtake);
  if (most <= 0) return build.submitted;
  return build.submitted - absl::Seconds(most * build.expected / (build.expected + 2 * most));
}

absl::Time WaitingQueue::BatchOf(absl::Time submitted) const {
  const absl::Duration batch = std::max(absl::Milliseconds(1), options_.max_overtake / 10);
  return absl::UnixEpoch() + absl::Floor(submitted - absl::UnixEpoch(), batch);
}

Lane::Age WaitingQueue::AgeOf(const WaitingBuild& build) const {
  return {BatchOf(build.submitted), RankOf(build), build.key};
}

// Puts a project's queue where it belongs in the orders of its lane.
void WaitingQueue::Relist(Lane& lane, int project) {
  Lane::ProjectQueue& queue = lane.projects[project];
  if (queue.listed) {
    lane.by_share.erase({queue.share, project});
    lane.by_age.erase({queue.oldest, project});
    if (queue.has_guests) lane.guests_by_age.erase({queue.oldest_guest, project});
  }
  Project& owner = projects_[static_cast<size_t>(project)];
  // What runs already is not one build more.
  const bool capped = !lane.need.beside && IsFull(owner);
  queue.listed = !queue.builds.empty() && !capped;
  if (queue.listed) {
    queue.share = owner.share;
    queue.oldest = *queue.by_age.begin();
    lane.by_share.insert({queue.share, project});
    lane.by_age.insert({queue.oldest, project});
    queue.has_guests = !queue.guests_by_age.empty();
    if (queue.has_guests) {
      queue.oldest_guest = *queue.guests_by_age.begin();
      lane.guests_by_age.insert({queue.oldest_guest, project});
    }
  }
  if (queue.builds.empty()) {
    lane.projects.erase(project);
    owner.lanes.erase(lane.need);
  }
}

void WaitingQueue::RelistAll(int project) {
  for (const Need& need : projects_[static_cast<size_t>(project)].lanes) {
    Relist(lanes_.at(need), project);
  }
}

void WaitingQueue::Insert(const Need& need, WaitingBuild build) {
  Erase(build.key);
  const int project = IdOf(build.project);
  Lane& lane = LaneOf(need);
  ++lane.size;
  lane.native += build.native;
  lane.emulated += build.emulated;
  where_[build.key] = {&lane, project};
  projects_[static_cast<size_t>(project)].lanes.insert(need);
  Lane::ProjectQueue& queue = lane.projects[project];
  queue.by_rank.insert({-build.priority, RankOf(build), build.key});
  const BuildKey key = build.key;
  queue.by_age.insert(AgeOf(build));
  if (need.MayBeGuest()) {
    queue.guests_by_rank.insert({-build.priority, RankOf(build), build.key});
    queue.guests_by_age.insert(AgeOf(build));
  }
  queue.builds[key] = std::move(build);
  Relist(lane, project);
}

void WaitingQueue::Erase(const BuildKey& key) {
  const auto it = where_.find(key);
  if (it == where_.end()) return;
  const auto [lane, project] = it->second;
  where_.erase(it);
  Lane::ProjectQueue& queue = lane->projects.at(project);
  const auto found = queue.builds.find(key);
  const WaitingBuild& build = found->second;
  --lane->size;
  lane->native = lane->size == 0 ? 0 : lane->native - build.native;
  lane->emulated = lane->size == 0 ? 0 : lane->emulated - build.emulated;
  queue.by_rank.erase({-build.priority, RankOf(build), key});
  queue.by_age.erase(AgeOf(build));
  queue.guests_by_rank.erase({-build.priority, RankOf(build), key});
  queue.guests_by_age.erase(AgeOf(build));
  queue.builds.erase(found);
  if (lane->size == 0) emptied_.push_back(lane->need);
  Relist(*lane, project);
}

Lane* WaitingQueue::Hedge(const BuildKey& key, absl::Time emulated_until) {
  const auto it = where_.find(key);
  if (it == where_.end()) return nullptr;
  const auto [lane, project] = it->second;
  WaitingBuild build = lane->projects.at(project).builds.at(key);
  Need need = lane->need;
  need.beside = true;
  build.emulated_until = emulated_until;
  Insert(need, std::move(build));
  return &LaneOf(need);
}

void WaitingQueue::DropEmptyLanes() {
  for (const Need& need : emptied_) {
    const auto lane = lanes_.find(need);
    if (lane != lanes_.end() && lane->second.size == 0) lanes_.erase(lane);
  }
  emptied_.clear();
}

void WaitingQueue::ForEach(const Lane& lane,
                           const std::function<void(const WaitingBuild&)>& visit) const {
  for (const auto& [project, queue] : lane.projects) {
    for (const Lane::Age& age : queue.by_age) visit(queue.builds.at(std::get<BuildKey>(age)));
  }
}

const WaitingBuild* WaitingQueue::Find(const BuildKey& key) const {
  const auto it = where_.find(key);
  if (it == where_.end()) return nullptr;
  return &it->second.first->projects.at(it->second.second).builds.at(key);
}

const Lane* WaitingQueue::FindLane(const BuildKey& key) const {
  const auto it = where_.find(key);
  return it == where_.end() ? nullptr : it->second.first;
}

// What a second weighs now. What was had before loses weight as time passes: instead of shrinking
// all of it all the time, what is had later weighs more.
double WaitingQueue::Weight(absl::Time now) {
  if (epoch_ == absl::InfinitePast()) epoch_ = now;
  double halves = absl::FDivDuration(now - epoch_, options_.forget_half);
  if (halves > 100) {
    for (Project& project : projects_) project.share *= std::exp2(-halves);
    for (int p = 0; p < static_cast<int>(projects_.size()); ++p) RelistAll(p);
    epoch_ = now;
    halves = 0;
  }
  weight_ = std::exp2(halves);
  return weight_;
}

bool WaitingQueue::IsFull(const Project& project) const {
  return options_.max_running > 0 &&
         static_cast<int>(project.running.size()) >= options_.max_running;
}

void WaitingQueue::Started(const std::string& project, const BuildKey& build, double seconds,
                           absl::Time now) {
  const int id = IdOf(project);
  const double weight = Weight(now);
  projects_[static_cast<size_t>(id)].share += seconds * weight;
  ++projects_[static_cast<size_t>(id)].running[build];
  RelistAll(id);
}

void WaitingQueue::Ended(const std::string& project, const BuildKey& build, double off,
                         absl::Time now) {
  const int id = IdOf(project);
  const double weight = Weight(now);
  Project& owner = projects_[static_cast<size_t>(id)];
  owner.share = std::max(0.0, owner.share + off * weight);
  if (--owner.running[build] <= 0) owner.running.erase(build);
  RelistAll(id);
}

bool WaitingQueue::MayStart(const std::string& project) const {
  const auto it = ids_.find(project);
  return it == ids_.end() || !IsFull(projects_[static_cast<size_t>(it->second)]);
}

Turn WaitingQueue::TurnOf(const WaitingBuild& build, absl::Time now) const {
  return {IsAged(build, now), projects_[static_cast<size_t>(ids_.at(build.project))].share,
          build.priority,     std::get<0>(AgeOf(build)),
          RankOf(build),      build.key};
}

bool WaitingQueue::VisitAged(const Lane& lane, const Lane::Heads& heads, Ages ages, absl::Time now,
                             const std::function<bool(const WaitingBuild&)>& visit) const {
  // Of each project its oldest, and once that has been visited, the one behind it.
  auto oldest = heads.begin();
  Lane::Heads behind;
  while (oldest != heads.end() || !behind.empty()) {
    const bool from_behind =
        oldest == heads.end() || (!behind.empty() && *behind.begin() < *oldest);
    const auto [age, project] = from_behind ? *behind.begin() : *oldest;
    const Lane::ProjectQueue& queue = lane.projects.at(project);
    const WaitingBuild& build = queue.builds.at(std::get<BuildKey>(age));
    if (!IsAged(build, now)) return false;
    if (visit(build)) return true;
    if (from_behind) {
      behind.erase(behind.begin());
    } else {
      ++oldest;
    }
    const auto next = (queue.*ages).upper_bound(age);
    if (next != (queue.*ages).end()) behind.insert({*next, project});
  }
  return false;
}

void WaitingQueue::Visit(const Lane& lane, absl::Time now, int most,
                         const std::function<bool(const WaitingBuild&)>& visit) const {
  bool any_aged = false;
  const auto aged = [&](const WaitingBuild& build) {
    any_aged = true;
    return most-- <= 0 || visit(build);
  };
  if (VisitAged(lane, lane.by_age, &Lane::ProjectQueue::by_age, now, aged)) return;
  for (const auto& [share, project] : lane.by_share) {
    const Lane::ProjectQueue& queue = lane.projects.at(project);
    for (const auto& [priority, rank, key] : queue.by_rank) {
      const WaitingBuild& build = queue.builds.at(key);
      if (any_aged && IsAged(build, now)) continue;  // Visited, so there are few of them.
      if (most-- <= 0 || visit(build)) return;
    }
  }
}

void WaitingQueue::VisitAgedGuests(const Lane& lane, absl::Time now, int most,
                                   const std::function<bool(const WaitingBuild&)>& visit) const {
  VisitAged(lane, lane.guests_by_age, &Lane::ProjectQueue::guests_by_age, now,
            [&](const WaitingBuild& build) { return most-- <= 0 || visit(build); });
}

void WaitingQueue::VisitLastGuests(const Lane& lane, int most,
                                   const std::function<bool(const WaitingBuild&)>& visit) const {
  if (lane.guests_by_age.empty()) return;
  for (auto project = lane.by_share.rbegin(); project != lane.by_share.rend(); ++project) {
    const Lane::ProjectQueue& queue = lane.projects.at(project->second);
    const auto& ranks = queue.guests_by_rank;
    for (auto rank = ranks.rbegin(); rank != ranks.rend(); ++rank) {
      if (most-- <= 0 || visit(queue.builds.at(std::get<BuildKey>(*rank)))) return;
    }
  }
}

double WaitingQueue::Ahead(const BuildKey& key, bool emulated, int most) const {
  const Lane* lane = FindLane(key);
  if (lane == nullptr) return 0;
  const auto seconds = [&](const WaitingBuild& build) {
    return emulated ? build.emulated : build.native;
  };
  double own = 0;
  const auto& [its_lane, project] = where_.at(key);
  const Lane::ProjectQueue& queue = lane->projects.at(project);
  bool found = false;
  for (const auto& [priority, rank, other] : queue.by_rank) {
    if (other == key) {
      found = true;
      break;
    }
    if (most-- <= 0) break;
    own += seconds(queue.builds.at(other));
  }
  if (!found) return emulated ? lane->emulated : lane->native;
  // Meanwhile every other project gets about as much, as far as it has that much waiting.
  double ahead = own;
  for (const auto& [other, its] : lane->projects) {
    if (other == project) continue;
    double its_own = 0;
    for (const auto& [priority, rank, one] : its.by_rank) {
      if (its_own >= own || most-- <= 0) break;
      its_own += seconds(its.builds.at(one));
    }
    ahead += std::min(own, its_own);
  }
  return ahead;
}

}  // namespace manyarch::controller::core
