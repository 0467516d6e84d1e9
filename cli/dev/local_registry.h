// The registry of `manyarch dev`.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/os/spawn.h"

namespace manyarch::cli {

// Whether http://HOST:PORT/v2/ answers as registries do.
bool IsRegistry(const std::string& host_port);

// Whether this process could listen on 127.0.0.1:`port`.
bool PortIsFree(int port);

// Writes a configuration into `directory` for a registry on 127.0.0.1:`port` that keeps its images
// there, and returns how to start it. NOT_FOUND: docker-registry is not installed.
absl::StatusOr<Command> PrepareRegistry(const std::string& directory, int port);

}  // namespace manyarch::cli
