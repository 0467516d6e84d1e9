// What speaks for or against each worker, for people who ask why a build waits.
#pragma once

#include <string>
#include <vector>

#include "absl/container/btree_set.h"
#include "controller/core/effects.h"
#include "controller/core/pool.h"

namespace manyarch::controller::core {

// Every worker, sorted by name. `tried` are those on which the build's attempts have come to
// nothing: taken again only where no other would do.
std::vector<WorkerEligibility> ExplainWorkers(const WorkerPool& pool, const Need& need,
                                              const absl::btree_set<std::string>& tried);

}  // namespace manyarch::controller::core
