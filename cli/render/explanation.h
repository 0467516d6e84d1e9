// `manyarch why` as text.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "manyarch/v1/farm.pb.h"

namespace manyarch::cli {

// The job, then each platform with its sentence and, for those that wait, each worker: "+" where it
// could take it, "-" where not.
std::string ExplanationText(const v1::ExplainJobResponse& why, absl::Time now);

}  // namespace manyarch::cli
