// The registered workers, indexed by what they offer, so that choosing one does not walk all of
// them.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

// What a build asks of a worker.
struct Need {
  Platform platform;
  bool local_only = false;
  Emulation policy = Emulation::kFallback;
  friend auto operator<=>(const Need&, const Need&) = default;
};

struct Placement {
  Worker* worker = nullptr;
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
  // free.
  void Reindex(const Worker& worker);

  // Whether any registered worker may ever take it.
  bool Servable(const Need& need) const;

  // A free worker: native before emulated, then the one with the fewest attempts. Workers in
  // `avoid` are taken only where no other registered worker would do.
  std::optional<Placement> Choose(const Need& need, const absl::btree_set<std::string>& avoid);

  // Why nothing was chosen, as a sentence that names workers and what they offer.
  std::string Explain(const Need& need) const;

 private:
  struct Offers {
    absl::btree_set<std::string> registered;
    absl::btree_set<std::pair<int, std::string>> free;  // By number of attempts, then id.
  };
  struct ByMode {
    Offers native;
    Offers emulated;
  };
  struct Place {
    Platform platform;
    bool local_only = false;
    friend auto operator<=>(const Place&, const Place&) = default;
  };
  // What the index says of a worker now, to be taken out again.
  struct Indexed {
    std::vector<OfferedPlatform> platforms;
    bool local = false;
    bool registered = false;
    bool free = false;
    int load = 0;
  };

  // Every list that a worker belongs to which offers this.
  std::vector<Offers*> ListsOf(const OfferedPlatform& offered, bool local);
  const ByMode* ModesOf(const Need& need) const;
  static bool MayEmulate(const ByMode& modes, Emulation policy);
  std::string ExplainUnservable(const Need& need) const;

  absl::btree_map<std::string, Worker> workers_;
  absl::btree_map<std::string, Indexed> indexed_;
  std::map<Place, ByMode> by_place_;  // ListsOf needs addresses that stay.
};

}  // namespace manyarch::controller::core
