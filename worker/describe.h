// What this worker says of itself: to the controller, and to people.
#pragma once

#include "manyarch/v1/types.pb.h"
#include "worker/options.h"
#include "worker/platform/buildah_info.h"
#include "worker/platform/platform_probe.h"

namespace manyarch::worker {

// What the operator allows of what was found; with a reason for each platform that is not offered.
v1::WorkerDescription Describe(const Options& options, const ProbeResult& probe,
                               const BuildahInfo& buildah);

// Log lines: what is offered, and why not.
void Introduce(const v1::WorkerDescription& description);

}  // namespace manyarch::worker
