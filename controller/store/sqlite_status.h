#pragma once

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace manyarch::controller {

// What failed, with what can be done about it. RESOURCE_EXHAUSTED: the disk is full. UNAVAILABLE:
// another process has the store, or the disk fails. DATA_LOSS: it is not a store any more.
absl::Status ToStatus(const SQLite::Exception& error, absl::string_view doing);

}  // namespace manyarch::controller
