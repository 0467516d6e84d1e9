// A context, from its root digest to files on disk.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "common/base/digest.h"
#include "common/os/stop_token.h"
#include "worker/cache/content_cache.h"
#include "worker/cache/content_source.h"

namespace manyarch::worker {

// Against trees made to fill the disk or the memory.
struct TreeLimits {
  int64_t max_entries = 5'000'000;
  int64_t max_bytes = int64_t{1} << 40;
  int max_depth = 200;
};

// Every file, directory and link made has this time (1980-01-02 00:00 UTC): contexts carry no
// times, equal trees must give equal layers on every worker, and formats like zip know no time
// before 1980.
constexpr int64_t kTreeTime = 315'619'200;

// Makes the tree `root` in `target`, which must be an existing empty directory: files, modes,
// symbolic links, empty directories, exactly. What `cache` lacks comes from `source`. Nothing is
// made outside of `target`, whatever the tree says.
//
// INVALID_ARGUMENT: the tree itself is wrong (names, order, sizes, limits), the path is named: no
// retry helps. CANCELLED: `stop` was given. Anything else: fetching or writing failed.
absl::Status Materialise(const Digest& root, const std::string& target, ContentCache& cache,
                         ContentSource& source, const StopToken& stop,
                         const TreeLimits& limits = {});

}  // namespace manyarch::worker
