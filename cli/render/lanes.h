// The picture of a running job: one line a platform.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// A heading and one line for each build, none longer than `width`. `steps` has the step that an
// attempt was last seen in, by attempt id.
std::vector<std::string> Lanes(const v1::Job& job, const std::map<std::string, std::string>& steps,
                               absl::Time now, size_t width);

// The step in a line of buildah's output ("STEP 2/5: RUN make"); empty where it tells none.
std::string StepIn(absl::string_view line);

}  // namespace manyarch::cli
