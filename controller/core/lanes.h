// The builds that wait, in lanes: one lane for each (platform, emulation policy), in the order in
// which they are to start.
#pragma once

#include <string>
#include <tuple>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "controller/core/pool.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

// Higher priority first, then the order of submission, then the order of the job's platforms.
struct WaitingBuild {
  int priority = 0;
  int64_t generation = 0;
  size_t build = 0;
  std::string job_id;

  friend bool operator<(const WaitingBuild& a, const WaitingBuild& b) {
    return std::tie(b.priority, a.generation, a.build) <
           std::tie(a.priority, b.generation, b.build);
  }
};

struct Lane {
  absl::btree_set<WaitingBuild> waiting;
  bool servable = false;  // As last told to the builds in it.
};

using Lanes = absl::btree_map<Need, Lane>;

}  // namespace manyarch::controller::core
