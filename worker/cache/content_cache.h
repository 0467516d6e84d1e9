// Blobs by digest on the local disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/os/stop_token.h"
#include "worker/cache/content_source.h"

namespace manyarch::worker {

// A cache: it may lose blobs that are not pinned at any time between calls, never gives wrong ones
// (bytes are checked against their digest both when stored and when read, so nothing is synced to
// disk). Thread-safe; one process at a time.
class ContentCache {
 public:
  // Makes the directory and removes half-written blobs.
  static absl::StatusOr<std::unique_ptr<ContentCache>> Open(const std::string& dir);

  // NOT_FOUND where it is absent, or was damaged (then it is removed).
  absl::StatusOr<std::string> Get(const Digest& digest);
  bool Has(const Digest& digest) const;
  // INVALID_ARGUMENT when bytes and digest differ.
  absl::Status Put(const Digest& digest, absl::string_view bytes);

  // Fetches those of `digests` that are absent here from `source`, in batches. Duplicates are fine.
  absl::Status Ensure(absl::Span<const Digest> digests, ContentSource& source,
                      const StopToken& stop);

  // Keeps blobs from being pruned for as long as it lives, which is less than the cache.
  class Pin {
   public:
    explicit Pin(ContentCache* cache) : cache_(cache) {}
    ~Pin();
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;
    // Those that are still to come, too.
    void Add(absl::Span<const Digest> digests);

   private:
    ContentCache* const cache_;
    std::vector<Digest> digests_;
  };

  // Removes the least recently used blobs until at most `limit_bytes` are left. Nothing where
  // another thread is at it; cut short by `stop`.
  absl::Status Prune(int64_t limit_bytes, const StopToken& stop);
  // Removes the least recently used blobs until `bytes` are freed, or all is gone.
  absl::Status Free(int64_t bytes);

 private:
  absl::Status RemoveOldest(int64_t limit_bytes, int64_t at_least, const StopToken& stop)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(prune_mutex_);

  explicit ContentCache(std::string dir) : dir_(std::move(dir)) {}
  std::string PathOf(const Digest& digest) const;

  const std::string dir_;
  absl::Mutex prune_mutex_;  // One pruning at a time; readers do not mind.
  absl::Mutex pin_mutex_;
  absl::flat_hash_map<std::string, int> pins_ ABSL_GUARDED_BY(pin_mutex_);  // By hex digits.
};

}  // namespace manyarch::worker
