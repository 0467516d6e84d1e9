// What a job's build options and secrets must be like to be taken.
#pragma once

#include "absl/status/status.h"
#include "controller/rpc/ports.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::controller::rpc {

// Brings the options into normal form. INVALID_ARGUMENT: the sentence says which one is refused and
// why.
absl::Status CheckBuildOptions(v1::JobSpec& spec);

// Whether just those secrets and keys have come that the options name, none too large, and all
// together not too large for one message.
absl::Status CheckSecrets(const v1::BuildOptions& options, const JobSecrets& secrets);

}  // namespace manyarch::controller::rpc
