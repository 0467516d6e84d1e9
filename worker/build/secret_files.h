// The secrets and ssh keys of one attempt, as the files that buildah reads.
#pragma once

#include "absl/status/status.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/build/argv.h"

namespace manyarch::worker {

// Writes those that the options name, 0600, in work.secrets(): in memory where a tmpfs can be
// mounted there, so that they never reach a disk from here. For ssh keys it makes work.short_tmp.
// Nothing is made where there are none.
absl::Status WriteSecretFiles(const v1::Offer& offer, const WorkPaths& work);

// Takes the tmpfs away, and the values with it, and the link. Fine where there are none. A worker
// that was killed does the like at its next start, with all mounts below its attempts and all
// links.
absl::Status RemoveSecretFiles(const WorkPaths& work);

}  // namespace manyarch::worker
