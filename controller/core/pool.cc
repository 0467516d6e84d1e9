#include "controller/core/pool.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace manyarch::controller::core {

namespace {

constexpr int kMostNamed = 8;  // Workers named in one explanation.

bool IsRegistered(const Worker& worker) {
  return !std::holds_alternative<WorkerLost>(worker.state) &&
         worker.admission == Admission::kSchedulable;
}

bool IsFree(const Worker& worker) {
  return std::holds_alternative<WorkerConnected>(worker.state) &&
         worker.admission == Admission::kSchedulable &&
         static_cast<int>(worker.occupied.size()) < worker.description.slots;
}

std::string WhatItOffers(const Worker& worker) {
  if (std::holds_alternative<WorkerLost>(worker.state)) {
    return absl::StrCat(worker.description.name, " is lost");
  }
  if (worker.admission == Admission::kDraining) {
    return absl::StrCat(worker.description.name, " is draining");
  }
  if (worker.admission == Admission::kCordoned) {
    return absl::StrCat(worker.description.name, " is cordoned (", worker.admission_reason, ")");
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

WorkerPool::Offers& WorkerPool::OffersOf(const OfferedPlatform& platform) {
  ByMode& modes = by_platform_[platform.platform];
  return platform.emulated ? modes.emulated : modes.native;
}

void WorkerPool::Reindex(const Worker& worker) {
  const std::string& id = worker.description.id;
  Indexed& old = indexed_[id];
  for (const OfferedPlatform& platform : old.platforms) {
    Offers& offers = OffersOf(platform);
    if (old.registered) offers.registered.erase(id);
    if (old.free) offers.free.erase({old.load, id});
  }
  old = {worker.description.platforms, IsRegistered(worker), IsFree(worker),
         static_cast<int>(worker.occupied.size())};
  for (const OfferedPlatform& platform : old.platforms) {
    Offers& offers = OffersOf(platform);
    if (old.registered) offers.registered.insert(id);
    if (old.free) offers.free.insert({old.load, id});
  }
}

bool WorkerPool::MayEmulate(const ByMode& modes, Emulation policy) {
  return policy == Emulation::kAllow ||
         (policy == Emulation::kFallback && modes.native.registered.empty());
}

bool WorkerPool::Servable(const Platform& platform, Emulation policy) const {
  const auto it = by_platform_.find(platform);
  if (it == by_platform_.end()) return false;
  return !it->second.native.registered.empty() ||
         (MayEmulate(it->second, policy) && !it->second.emulated.registered.empty());
}

std::optional<Placement> WorkerPool::Choose(const Platform& platform, Emulation policy,
                                            const absl::btree_set<std::string>& avoid) {
  const auto it = by_platform_.find(platform);
  if (it == by_platform_.end()) return std::nullopt;
  const ByMode& modes = it->second;
  const bool emulate = MayEmulate(modes, policy);

  size_t eligible = modes.native.registered.size();
  if (emulate) eligible += modes.emulated.registered.size();
  size_t avoided = 0;
  for (const std::string& id : avoid) {
    if (modes.native.registered.contains(id) ||
        (emulate && modes.emulated.registered.contains(id))) {
      ++avoided;
    }
  }
  const bool someone_else = avoided < eligible;

  for (const bool emulated : {false, true}) {
    if (emulated && !emulate) continue;
    for (const auto& [load, id] : (emulated ? modes.emulated : modes.native).free) {
      if (someone_else && avoid.contains(id)) continue;
      return Placement{Find(id), emulated};
    }
  }
  return std::nullopt;
}

std::string WorkerPool::Explain(const Platform& platform, Emulation policy) const {
  if (!Servable(platform, policy)) {
    std::vector<std::string> lines;
    int left_out = 0;
    for (const auto& [id, worker] : workers_) {
      if (static_cast<int>(lines.size()) >= kMostNamed) {
        ++left_out;
      } else {
        lines.push_back(WhatItOffers(worker));
      }
    }
    if (left_out > 0) lines.push_back(absl::StrCat("and ", left_out, " more"));
    const absl::string_view how =
        policy == Emulation::kNever ? " natively, and emulation is ruled out" : "";
    return absl::StrCat("no worker offers ", ToString(platform), how, ": ",
                        lines.empty() ? "no worker is registered" : absl::StrJoin(lines, "; "));
  }
  const ByMode& modes = by_platform_.at(platform);
  std::vector<std::string> names;
  size_t count = modes.native.registered.size();
  const bool emulate = MayEmulate(modes, policy);
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
  return absl::StrCat("waiting for a free slot for ", ToString(platform), ": ",
                      absl::StrJoin(names, ", "));
}

}  // namespace manyarch::controller::core
