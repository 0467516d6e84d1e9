#include "controller/core/pool.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/build_values.h"

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

std::string WhatItOffers(const Worker& worker, const Need& need) {
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
  if (need.local_only && !worker.description.local) {
    return absl::StrCat(
        worker.description.name,
        " is on another machine, which cannot reach a registry on this one's loopback");
  }
  if (const std::string unmet = UnmetConstraint(worker.description, need); !unmet.empty()) {
    return absl::StrCat(worker.description.name, " ", unmet);
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

int64_t AdvertisedMemory(const WorkerDescription& worker) {
  const auto label = worker.labels.find("memory");
  if (label == worker.labels.end()) return 0;
  return ParseMemory(label->second).value_or(0);
}

std::string LossesText(const Worker& worker) {
  if (worker.steady_for == absl::ZeroDuration()) return "";
  const size_t times = worker.lost_at.size();
  return absl::StrCat("lost ", times, times == 1 ? " time" : " times", " within a day");
}

std::string UnmetConstraint(const WorkerDescription& worker, const Need& need) {
  for (const auto& [name, wanted] : need.constraints) {
    const auto label = worker.labels.find(name);
    if (label == worker.labels.end()) return absl::StrCat("has no label ", name, "=", wanted);
    if (label->second != wanted) {
      return absl::StrCat("has the label ", name, "=", label->second, ", not ", name, "=", wanted);
    }
  }
  const int64_t memory = AdvertisedMemory(worker);
  if (memory > 0 && need.memory_bytes > memory) {
    return absl::StrCat("advertises ", worker.labels.at("memory"),
                        " of memory, less than the build may use");
  }
  return "";
}

bool AnyNative(const std::vector<Option>& options) {
  return std::any_of(options.begin(), options.end(), [](const Option& option) {
    return !option.emulated && !option.of->registered.empty();
  });
}

WorkerClass& WorkerPool::ClassFor(const Worker& worker) {
  const WorkerDescription& description = worker.description;
  std::vector<Offer> offers;
  for (const OfferedPlatform& offered : description.platforms) {
    offers.emplace_back(offered.platform, offered.emulated);
  }
  std::sort(offers.begin(), offers.end());
  absl::btree_map<std::string, std::string> labels;
  for (const std::string& name : labels_) {
    const auto label = description.labels.find(name);
    if (label != description.labels.end()) labels.insert(*label);
  }
  ClassKey key{std::move(offers), description.local, AdvertisedMemory(description), labels,
               worker.steady_for};
  const auto [it, fresh] = by_key_.try_emplace(std::move(key), classes_.size());
  if (fresh) {
    auto one = std::make_unique<WorkerClass>();
    one->index = classes_.size();
    one->platforms = description.platforms;
    one->local = description.local;
    one->memory_bytes = AdvertisedMemory(description);
    one->labels = std::move(labels);
    one->steady_for = absl::ToDoubleSeconds(worker.steady_for);
    classes_.push_back(std::move(one));
    ++version_;
  }
  return *classes_[it->second];
}

void WorkerPool::TakeOut(const std::string& id, Indexed& entry) {
  if (entry.of == nullptr) return;
  if (entry.registered) entry.of->registered.erase(id);
  if (entry.free) entry.of->free.erase({entry.load, id});
  entry.of->slots -= entry.slots;
  entry.of->busy -= entry.busy;
  entry.of->busy_until -= entry.busy_until;
}

void WorkerPool::Redescribe(const Worker& worker) {
  Indexed& entry = indexed_[worker.description.id];
  TakeOut(worker.description.id, entry);
  entry = {};
  entry.of = &ClassFor(worker);
  Reindex(worker);
}

void WorkerPool::Reindex(const Worker& worker) {
  const std::string& id = worker.description.id;
  Indexed& entry = indexed_[id];
  if (entry.of == nullptr) entry.of = &ClassFor(worker);
  TakeOut(id, entry);
  WorkerClass& of = *entry.of;
  entry = {};
  entry.of = &of;
  entry.registered = IsRegistered(worker);
  entry.free = IsFree(worker);
  entry.load = static_cast<int>(worker.occupied.size());
  if (!entry.registered) return;
  entry.slots = worker.description.slots;
  for (const auto& [attempt, end] : worker.expected_end) {
    ++entry.busy;
    entry.busy_until += absl::ToDoubleSeconds(end - absl::UnixEpoch());
  }
  of.registered.insert(id);
  if (entry.free) of.free.insert({entry.load, id});
  of.slots += entry.slots;
  of.busy += entry.busy;
  of.busy_until += entry.busy_until;
}

void WorkerPool::Distinguish(const Need& need) {
  bool fresh = false;
  for (const auto& [name, value] : need.constraints) fresh |= labels_.insert(name).second;
  if (!fresh) return;
  for (const auto& [id, worker] : workers_) Redescribe(worker);
}

const WorkerClass* WorkerPool::ClassOf(const std::string& worker) const {
  const auto it = indexed_.find(worker);
  return it == indexed_.end() ? nullptr : it->second.of;
}

std::vector<Option> WorkerPool::OptionsFor(const Need& need) const {
  std::vector<Option> options;
  for (const bool emulated : {false, true}) {
    if (emulated && need.policy == Emulation::kNever) continue;
    for (const auto& of : classes_) {
      if (need.local_only && !of->local) continue;
      if (of->memory_bytes > 0 && need.memory_bytes > of->memory_bytes) continue;
      const auto meets = [&](const std::pair<std::string, std::string>& label) {
        const auto found = of->labels.find(label.first);
        return found != of->labels.end() && found->second == label.second;
      };
      if (!std::all_of(need.constraints.begin(), need.constraints.end(), meets)) continue;
      const auto offers = [&](bool how) {
        return std::any_of(of->platforms.begin(), of->platforms.end(),
                           [&](const OfferedPlatform& offered) {
                             return offered.platform == need.platform && offered.emulated == how;
                           });
      };
      if (offers(emulated) && !(emulated && offers(false))) options.push_back({of.get(), emulated});
    }
  }
  return options;
}

bool WorkerPool::Servable(const Need& need) const {
  const std::vector<Option> options = OptionsFor(need);
  return std::any_of(options.begin(), options.end(),
                     [](const Option& option) { return !option.of->registered.empty(); });
}

std::string WorkerPool::ExplainUnservable(const Need& need) const {
  std::vector<std::string> lines;
  for (const auto& [id, worker] : workers_) {
    if (static_cast<int>(lines.size()) == kMostNamed) break;
    lines.push_back(WhatItOffers(worker, need));
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
  const std::vector<Option> options = OptionsFor(need);
  const bool natively =
      AnyNative(options) && (need.beside || (need.policy != Emulation::kAllow && !need.hedge));
  std::vector<std::string> names;
  size_t count = 0;
  for (const Option& option : options) {
    if (option.emulated && natively) continue;
    count += option.of->registered.size();
    for (const std::string& id : option.of->registered) {
      if (static_cast<int>(names.size()) >= kMostNamed) break;
      const Worker& worker = *Find(id);
      names.push_back(absl::StrCat(
          worker.description.name, " (", worker.occupied.size(), " of ", worker.description.slots,
          worker.description.slots == 1 ? " slot" : " slots", " taken",
          std::holds_alternative<WorkerSuspect>(worker.state) ? ", not answering" : "",
          LossesText(worker).empty() ? "" : ", ", LossesText(worker), ")"));
    }
  }
  if (count == 0) return ExplainUnservable(need);
  if (count > names.size()) names.push_back(absl::StrCat("and ", count - names.size(), " more"));
  return absl::StrCat("waiting for a free slot for ", ToString(need.platform), ": ",
                      absl::StrJoin(names, ", "));
}

bool WorkerPool::AnyUnsteady() const {
  return std::any_of(classes_.begin(), classes_.end(),
                     [](const auto& of) { return of->steady_for > 0 && !of->registered.empty(); });
}

}  // namespace manyarch::controller::core
