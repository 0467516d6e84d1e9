#include "worker/contexts.h"

#include <utility>

#include "absl/strings/str_cat.h"
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

absl::StatusOr<std::string> CachedContexts::Read(const Digest& digest, int64_t limit,
                                                 const StopToken& stop) {
  MA_RETURN_IF_ERROR(cache_->Ensure({digest}, content_, stop));
  MA_ASSIGN_OR_RETURN(std::string bytes, cache_->Get(digest));
  if (static_cast<int64_t>(bytes.size()) <= limit) return bytes;
  return absl::InvalidArgumentError(
      absl::StrCat("it has ", bytes.size(), " bytes; at most ", limit, " are taken"));
}

absl::Status CachedContexts::Prune(const StopToken& stop) {
  return cache_->Prune(limit_bytes_, stop);
}

absl::Status CachedContexts::Free(int64_t bytes) { return cache_->Free(bytes); }

}  // namespace manyarch::worker
