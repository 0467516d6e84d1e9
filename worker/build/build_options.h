// Whether this worker can do what a job's options ask for. Pure.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/core/buildah.h"

namespace manyarch::worker {

// INVALID_ARGUMENT where a value could not be passed on faithfully, or where this worker's buildah
// cannot honour an option: with isolation chroot there are no limits and no other network than the
// worker's. The controller refuses bad values, too; a worker takes nobody's word for it.
absl::Status CheckBuildOptions(const v1::Offer& offer, const BuildahInfo& buildah);

// Of the job's options, what this buildah does less of than was asked for, where the image is the
// same nevertheless; one sentence each.
std::vector<std::string> OptionWarnings(const v1::BuildOptions& options,
                                        const BuildahInfo& buildah);

// A sentence where the last lines of a build's output say that build arguments of the job were not
// used; empty where they were. buildah names its own TARGETARCH and friends, too: they do not
// count.
std::string UnusedBuildArgs(const std::vector<std::string>& last_lines,
                            const v1::BuildOptions& options);

}  // namespace manyarch::worker
