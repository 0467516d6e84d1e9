// The files by which buildah knows registries: written for one attempt, gone with it.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/build/argv.h"

namespace manyarch::worker {

// A registries.conf (version 2): docker.io where an image names no registry, mirrors, and plain
// http for the hosts that are said to speak it only.
std::string RegistriesConf(const v1::RegistryAccess& access);

// Writes the auth file, the registries.conf, and each host's certificates where buildah looks for
// them: below its HOME, which is the attempt's directory. INVALID_ARGUMENT: a host's name is none.
absl::Status WriteRegistryFiles(const v1::RegistryAccess& access, const WorkPaths& work);

}  // namespace manyarch::worker
