// Where blobs come from that the local cache lacks.
#pragma once

#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/os/stop_token.h"

namespace manyarch::worker {

// A port: the controller's content service over gRPC in the worker, a map in tests. Thread-safe.
class ContentSource {
 public:
  // Gets one whole blob, its digest not yet checked. A status that is not OK ends the fetch.
  using Sink = std::function<absl::Status(const Digest& digest, std::string bytes)>;

  virtual ~ContentSource() = default;

  // Calls `sink` once for each of `digests`, in order, on the calling thread. NOT_FOUND names a
  // blob that the source lacks; CANCELLED: `stop` was given.
  virtual absl::Status Fetch(absl::Span<const Digest> digests, const StopToken& stop,
                             const Sink& sink) = 0;
};

}  // namespace manyarch::worker
