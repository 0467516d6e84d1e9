// manyarch-controller check: whether what is on disk is whole, while no controller runs.
#pragma once

#include <ostream>
#include <string>

#include "absl/status/status.h"

namespace manyarch::controller {

// Verifies the store (its own structure, every row, what rows say of each other), every blob
// against its digest, and that live jobs have their contexts and logs. Changes nothing. Says on
// `report` what it looked at and each fault it found. DATA_LOSS: there were faults;
// FAILED_PRECONDITION: a controller uses the directory, or a newer one has written it.
absl::Status CheckStateDir(const std::string& state_dir, std::ostream& report);

}  // namespace manyarch::controller
