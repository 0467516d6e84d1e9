// The flags of `manyarch build` that say how buildah builds.
#pragma once

#include "absl/status/status.h"
#include "cli/commands/build_flags.h"
#include "cli/commands/secrets.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Fills in the options, and the spec's format. INVALID_ARGUMENT names the flag, and what it may be;
// whatever the controller would refuse is refused here before a context is read.
absl::Status AddBuildOptions(const BuildFlags& flags, const GetEnv& getenv, v1::JobSpec& spec);

}  // namespace manyarch::cli
