// Offline verification of a store.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace manyarch::controller {

struct StoreCheck {
  int64_t jobs = 0;
  int64_t workers = 0;
  int64_t tags = 0;
  std::vector<std::pair<std::string, std::string>>
      live_roots;                   // Job id and context root of live jobs.
  std::vector<std::string> faults;  // Sentences; empty: it is sound.
};

// Opens `path` for reading only. FAILED_PRECONDITION: another schema version than this program's.
absl::StatusOr<StoreCheck> CheckSqliteStore(const std::string& path);

}  // namespace manyarch::controller
