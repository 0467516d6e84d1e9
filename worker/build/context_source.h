// Where an attempt's context comes from.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "common/os/stop_token.h"

namespace manyarch::worker {

// A port: filled in with the content cache and the controller's content service. Thread-safe.
class ContextSource {
 public:
  virtual ~ContextSource() = default;

  // Makes the tree `root` in `directory`, which exists and is empty. INVALID_ARGUMENT: the tree
  // itself is wrong, no retry helps. CANCELLED: `stop` was given.
  virtual absl::Status Materialise(const Digest& root, const std::string& directory,
                                   const StopToken& stop) = 0;
  // One blob. INVALID_ARGUMENT where it has more than `limit` bytes.
  virtual absl::StatusOr<std::string> Read(const Digest& digest, int64_t limit,
                                           const StopToken& stop) = 0;
  // Gives up what is kept over the limit, as far as it gets before `stop` is given.
  virtual absl::Status Prune(const StopToken& stop) = 0;
  // Gives up `bytes` of what is kept, or all of it.
  virtual absl::Status Free(int64_t bytes) = 0;
};

}  // namespace manyarch::worker
