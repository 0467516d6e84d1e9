#include "controller/core/pool.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace manyarch::controller::core {

namespace {

constexpr int kMostNamed = 8;  // Workers named in one explanation.

bool IsRegistered(const Worker& worker) {
  return !std::holds_alternative<WorkerLost>(worker.state) && !worker.stopping &&
         worker.not_ready.empty() && worker.admission == Admission::kSchedulable;
}

bool IsFree(const Worker& worker) {
  return std::holds_alternative<WorkerConnected>(worker.state) && IsRegistered(worker) &&
         static_cast<int>(worker.occupied.size()) < worker.description.slots;
}

std::string WhatItOffers(const Worker& worker, bool local_only) {
  if (std::holds_alternative<WorkerLost>(worker.state)) {
    return absl::StrCat(worker.description.name, " is lost");
  }
  if (worker.stopping || worker.admission == Admission::kDraining) {
    return absl::StrCat(worker.description.name, " is draining");
  }
  if (worker.admission == Admission::kCordoned) {
    return absl::StrCat(worker.description.name, " is cordoned (", worker.admission_reason, ")");
  }
  if (!worker.not_ready.empty()) {
    return absl::StrCat(worker.description.name, " takes nothing new for now: ", worker.not_ready);
  }
  if (local_only && !worker.description.local) {
    return absl::StrCat(
        worker.description.name,
        " is on another machine, which cannot reach a registry on this one's loopback");
  }
  std::vector<std::string> offers;
  for (const OfferedPlatform& offered : worker.description.platforms) {
    offers.push_back(
        absl::StrCat(ToString(offered.platform), offered.emulated ? " (emulated)" : " (native)"));
  }
  return absl::StrCat(worker.description.name, " offers ",
                      offers.empty() ? "nothing" : absl::StrJoin(offers, ", "));
}

}  // namespace

Worker* WorkerPool::Find(const std::string& id) {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second;
}

const Worker* WorkerPool::Find(const std::string& id) const {
  const auto it = workers_.find(id);
  return it == workers_.end() ? nullptr : &it->second;
}

Worker& WorkerPool::Insert(Worker worker) {
  const std::string id = worker.description.id;
  return workers_.insert_or_assign(id, std::move(worker)).first->second;
}

std::vector<WorkerPool::Offers*> WorkerPool::ListsOf(const OfferedPlatform& offered, bool local) {
  std::vector<Offers*> lists;
  for (const bool local_only : {false, true}) {
    if (local_only && !local) continue;
    ByMode& modes = by_place_[{offered.platform, local_only}];
    lists.push_back(offered.emulated ? &modes.emulated : &modes.native);
  }
  return lists;
}

void WorkerPool::Reindex(const Worker& worker) {
  const std::string& id = worker.description.id;
  Indexed& entry = indexed_[id];
  for (const OfferedPlatform& offered : entry.platforms) {
    for (Offers* offers : ListsOf(offered, entry.local)) {
      if (entry.registered) offers->registered.erase(id);
      if (entry.free) offers->free.erase({entry.load, id});
    }
  }
  entry = {worker.description.platforms, worker.description.local, IsRegistered(worker),
           IsFree(worker), static_cast<int>(worker.occupied.size())};
  for (const OfferedPlatform& offered : entry.platforms) {
    for (Offers* offers : ListsOf(offered, entry.local)) {
      if (entry.registered) offers->registered.insert(id);
      if (entry.free) offers->free.insert({entry.load, id});
    }
  }
}

const WorkerPool::ByMode* WorkerPool::ModesOf(const Need& need) const {
  const auto it = by_place_.find({need.platform, need.local_only});
  return it == by_place_.end() ? nullptr : &it->second;
}

bool WorkerPool::MayEmulate(const ByMode& modes, Emulation policy) {
  return policy == Emulation::kAllow ||
         (policy == Emulation::kFallback && modes.native.registered.empty());
}

bool WorkerPool::Servable(const Need& need) const {
  const ByMode* modes = ModesOf(need);
  return modes != nullptr &&
         (!modes->native.registered.empty() ||
          (MayEmulate(*modes, need.policy) && !modes->emulated.registered.empty()));
}

std::optional<Placement> WorkerPool::Choose(const Need& need,
                                            const absl::btree_set<std::string>& avoid) {
  const ByMode* modes = ModesOf(need);
  if (modes == nullptr) return std::nullopt;
  const bool emulate = MayEmulate(*modes, need.policy);

  size_t eligible = modes->native.registered.size();
  if (emulate) eligible += modes->emulated.registered.size();
  size_t avoided = 0;
  for (const std::string& id : avoid) {
    if (modes->native.registered.contains(id) ||
        (emulate && modes->emulated.registered.contains(id))) {
      ++avoided;
    }
  }
  const bool someone_else = avoided < eligible;

  for (const bool emulated : {false, true}) {
    if (emulated && !emulate) continue;
    for (const auto& [load, id] : (emulated ? modes->emulated : modes->native).free) {
      if (someone_else && avoid.contains(id)) continue;
      return Placement{Find(id), emulated};
    }
  }
  return std::nullopt;
}

std::string WorkerPool::ExplainUnservable(const Need& need) const {
  std::vector<std::string> lines;
  for (const auto& [id, worker] : workers_) {
    if (static_cast<int>(lines.size()) == kMostNamed) break;
    lines.push_back(WhatItOffers(worker, need.local_only));
  }
  if (workers_.size() > lines.size()) {
    lines.push_back(absl::StrCat("and ", workers_.size() - lines.size(), " more"));
  }
  const absl::string_view how =
      need.policy == Emulation::kNever ? " natively, and emulation is ruled out" : "";
  return absl::StrCat("no worker offers ", ToString(need.platform), how, ": ",
                      lines.empty() ? "no worker is registered" : absl::StrJoin(lines, "; "));
}

std::string WorkerPool::Explain(const Need& need) const {
  if (!Servable(need)) return ExplainUnservable(need);
  const ByMode& modes = *ModesOf(need);
  const bool emulate = MayEmulate(modes, need.policy);
  std::vector<std::string> names;
  size_t count = modes.native.registered.size();
  if (emulate) count += modes.emulated.registered.size();
  for (const Offers* offers : {&modes.native, &modes.emulated}) {
    if (offers == &modes.emulated && !emulate) continue;
    for (const std::string& id : offers->registered) {
      if (static_cast<int>(names.size()) >= kMostNamed) break;
      const Worker& worker = *Find(id);
      names.push_back(absl::StrCat(
          worker.description.name, " (", worker.occupied.size(), " of ", worker.description.slots,
          worker.description.slots == 1 ? " slot" : " slots", " taken",
          std::holds_alternative<WorkerSuspect>(worker.state) ? ", not answering" : "", ")"));
    }
  }
  if (count > names.size()) names.push_back(absl::StrCat("and ", count - names.size(), " more"));
  return absl::StrCat("waiting for a free slot for ", ToString(need.platform), ": ",
                      absl::StrJoin(names, ", "));
}

}  // namespace manyarch::controller::core
