// The table of what was learned of durations: one row a kind of build.
#pragma once

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"
#include "controller/core/farm.h"
#include "controller/store/store.h"

namespace manyarch::controller {

// Throws what SQLiteCpp throws, as all that runs inside the store. DATA_LOSS: a row cannot be read.
absl::Status LoadEstimates(SQLite::Database& db, core::FarmState& state);

// Within the transaction of the batch; kinds without a history are deleted.
void WriteEstimates(SQLite::Database& db, const Batch& batch);

}  // namespace manyarch::controller
