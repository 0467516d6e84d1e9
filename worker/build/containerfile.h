// Finding the Containerfile of a context.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace manyarch::worker {

// The absolute path of the Containerfile, links resolved: `name` below `context`, or Containerfile,
// else Dockerfile, where it is empty. Links that lead out of the context are refused, for it and
// for the ignore files that buildah reads beside it: they would show a build files of the worker.
// INVALID_ARGUMENT says what is wrong with the context; any other error is this machine's.
absl::StatusOr<std::string> FindContainerfile(const std::string& context, const std::string& name);

// INVALID_ARGUMENT where an ignore file at the top of `context` is a link that leads out of it:
// buildah would follow it. Any other error where that could not be looked into.
absl::Status CheckIgnoreFiles(const std::string& context);

}  // namespace manyarch::worker
