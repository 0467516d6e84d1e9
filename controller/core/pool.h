// The registered workers, in classes of alike ones, so that choosing among them does not walk all.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "controller/core/need.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

// Where a build is to start.
struct Placement {
  Worker* worker = nullptr;
  bool emulated = false;
};

// Workers that are alike in all that any build asks for.
struct WorkerClass {
  size_t index = 0;  // In the order in which classes appeared.
  std::vector<OfferedPlatform> platforms;
  bool local = false;
  int64_t memory_bytes = 0;                          // 0: not advertised.
  absl::btree_map<std::string, std::string> labels;  // Those that some build has asked for.
  double steady_for = 0;  // Seconds from one loss of such a worker to the next; 0: hardly ever.

  absl::btree_set<std::string> registered;
  absl::btree_set<std::pair<int, std::string>> free;  // By number of attempts, then id.
  int slots = 0;                                      // Of all registered.
  int busy = 0;                                       // Attempts there whose end is predicted,
  double busy_until = 0;  // and the sum of those ends, in steady seconds.
};

// A class that could take what a build asks for, and how.
struct Option {
  const WorkerClass* of = nullptr;
  bool emulated = false;
};

// Owns every worker the farm knows. A worker counts as registered while it is connected or suspect
// and schedulable; it is free while it is connected, schedulable and has a slot left. Not
// thread-safe: it lives inside the farm.
class WorkerPool {
 public:
  Worker* Find(const std::string& id);
  const Worker* Find(const std::string& id) const;
  Worker& Insert(Worker worker);
  const absl::btree_map<std::string, Worker>& all() const { return workers_; }

  // To be called after anything about the worker changed that decides whether it is registered or
  // free, or when what it runs is predicted to end.
  void Reindex(const Worker& worker);
  // To be called, instead, after its description or its steadiness has changed.
  void Redescribe(const Worker& worker);
  // A build asks for these labels: from now on they tell classes apart.
  void Distinguish(const Need& need);

  const std::vector<std::unique_ptr<WorkerClass>>& classes() const { return classes_; }
  // Whether there are workers that are lost often.
  bool AnyUnsteady() const;
  // Null for a worker that was never indexed.
  const WorkerClass* ClassOf(const std::string& worker) const;
  // Every class that offers what is asked for, in the order of their indices, native ones first;
  // emulated ones only where the policy does not rule them out altogether.
  std::vector<Option> OptionsFor(const Need& need) const;
  // Rises whenever what OptionsFor says may have changed.
  uint64_t version() const { return version_; }

  // Whether any registered worker may ever take it.
  bool Servable(const Need& need) const;
  // Why nothing was chosen, as a sentence that names workers and what they offer.
  std::string Explain(const Need& need) const;

 private:
  using Offer = std::pair<Platform, bool>;
  using ClassKey = std::tuple<std::vector<Offer>, bool, int64_t,
                              absl::btree_map<std::string, std::string>, absl::Duration>;
  // What the index says of a worker now, to be taken out again.
  struct Indexed {
    WorkerClass* of = nullptr;
    bool registered = false;
    bool free = false;
    int load = 0;
    int slots = 0;
    int busy = 0;
    double busy_until = 0;
  };

  static void TakeOut(const std::string& id, Indexed& entry);
  WorkerClass& ClassFor(const Worker& worker);
  std::string ExplainUnservable(const Need& need) const;

  absl::btree_map<std::string, Worker> workers_;
  absl::flat_hash_map<std::string, Indexed> indexed_;
  absl::btree_set<std::string> labels_;  // Names of those that some build has asked for.
  std::map<ClassKey, size_t> by_key_;
  std::vector<std::unique_ptr<WorkerClass>> classes_;
  uint64_t version_ = 1;
};

// The bytes that a worker's label "memory" promises, spelled as for ParseMemory; 0 where there is
// none, or none that can be understood.
int64_t AdvertisedMemory(const WorkerDescription& worker);

// "lost 3 times within a day", for one that is lost too often for every build; else empty.
std::string LossesText(const Worker& worker);

// Why a worker does not fulfil the constraints or the memory of a need; empty: it does.
std::string UnmetConstraint(const WorkerDescription& worker, const Need& need);

// Whether one of these is native and has a registered worker: then emulated ones are second choice.
bool AnyNative(const std::vector<Option>& options);

}  // namespace manyarch::controller::core
