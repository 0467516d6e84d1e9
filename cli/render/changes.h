// What became of a job since it was last looked at, as lines.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// One line for each change that a person would want to know of. `before` is null for a job seen for
// the first time. States between the two that were not seen are left out.
std::vector<std::string> DescribeChanges(const v1::Job* before, const v1::Job& after,
                                         absl::Time now);

}  // namespace manyarch::cli
