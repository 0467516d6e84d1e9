#include "worker/contexts.h"

#include <utility>

#include "common/base/status_macros.h"
#include "worker/cache/materialise.h"

namespace manyarch::worker {

absl::StatusOr<std::unique_ptr<CachedContexts>> CachedContexts::Open(const std::string& dir,
                                                                     int64_t limit_bytes,
                                                                     ContentSource* content) {
  MA_ASSIGN_OR_RETURN(auto cache, ContentCache::Open(dir));
  return std::unique_ptr<CachedContexts>(
      new CachedContexts(std::move(cache), limit_bytes, content));
}

absl::Status CachedContexts::Materialise(const Digest& root, const std::string& directory,
                                         const StopToken& stop) {
  return worker::Materialise(root, directory, *cache_, content_, stop);
}

absl::Status CachedContexts::Prune() { return cache_->Prune(limit_bytes_); }

absl::Status CachedContexts::Free(int64_t bytes) { return cache_->Free(bytes); }

}  // namespace manyarch::worker
