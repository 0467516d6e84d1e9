// Fills the attempts' port for contexts with the content cache.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "worker/build/context_source.h"
#include "worker/cache/content_cache.h"
#include "worker/cache/content_source.h"

namespace manyarch::worker {

// Thread-safe.
class CachedContexts : public ContextSource {
 public:
  // Keeps blobs in `dir`, at most `limit_bytes` of them between attempts. What is absent there
  // comes from `content`, which must outlive this.
  static absl::StatusOr<std::unique_ptr<CachedContexts>> Open(const std::string& dir,
                                                              int64_t limit_bytes,
                                                              ContentSource* content);

  absl::Status Materialise(const Digest& root, const std::string& directory,
                           const StopToken& stop) override;
  absl::StatusOr<std::string> Read(const Digest& digest, int64_t limit,
                                   const StopToken& stop) override;
  absl::Status Prune(const StopToken& stop) override;
  absl::Status Free(int64_t bytes) override;

 private:
  CachedContexts(std::unique_ptr<ContentCache> cache, int64_t limit_bytes, ContentSource* content)
      : cache_(std::move(cache)), limit_bytes_(limit_bytes), content_(*content) {}

  const std::unique_ptr<ContentCache> cache_;
  const int64_t limit_bytes_;
  ContentSource& content_;
};

}  // namespace manyarch::worker
