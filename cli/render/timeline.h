// What an attempt has spent its time on.
#pragma once

#include <string>
#include <vector>

#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

struct PhaseTime {
  std::string name;  // queued, fetching, building, pushing, verifying
  absl::Duration duration;
};

// In order, up to the one it is in (or ended in); those it has not come to are left out, and one
// that nobody saw begin belongs to the one before. Queued counts from the submission, or from the
// end of the attempt before.
std::vector<PhaseTime> PhasesOf(const v1::Job& job, const v1::Build& build,
                                const v1::Attempt& attempt, absl::Time now);

// "queued 0.4s, fetching 1.2s, building 1m 05s"
std::string TimelineText(const std::vector<PhaseTime>& phases);

}  // namespace manyarch::cli
