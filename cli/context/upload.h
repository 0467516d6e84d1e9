// Sending a context: only what the controller lacks.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "cli/context/tree.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::cli {

// The content calls of a controller, so that sending needs no connection of its own.
struct ContentCalls {
  std::function<absl::StatusOr<v1::FindMissingResponse>(const v1::FindMissingRequest&)>
      find_missing;
  // Streams what `next` fills in until it returns false.
  std::function<absl::StatusOr<v1::UploadResponse>(
      int64_t bytes, const std::function<absl::StatusOr<bool>(v1::UploadRequest&)>& next)>
      upload;
};

struct UploadStats {
  int64_t blobs = 0;
  int64_t bytes = 0;       // Before compression.
  int64_t sent_bytes = 0;  // On the wire, headers left out.
  absl::Duration asking;   // For what is missing.
  absl::Duration sending;
};

// Makes sure the controller has every blob of the trees. Where it has a root, the rest of that tree
// is taken to be there too unless `check_all`: a root is sent after everything it refers to.
absl::StatusOr<UploadStats> UploadTrees(const std::vector<ContextTree>& trees, bool check_all,
                                        const ContentCalls& calls);

}  // namespace manyarch::cli
