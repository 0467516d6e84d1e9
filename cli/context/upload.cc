#include "cli/context/upload.h"

#include <zstd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

constexpr int kDigestsPerCall = 10'000;
constexpr size_t kPiece = size_t{1} << 20;
// A stream's blobs count as sent when it ends: its size bounds what a broken connection costs.
constexpr int64_t kStreamBytes = int64_t{256} << 20;
constexpr size_t kStreamBlobs = 5'000;
constexpr int kZstdLevel = 1;

using Digests = absl::flat_hash_set<std::string>;

// The trees whose root is missing, or all of them.
absl::StatusOr<std::vector<const ContextTree*>> FindIncomplete(
    const std::vector<ContextTree>& trees, bool check_all, const ContentCalls& calls) {
  Digests missing;
  if (!check_all) {
    v1::FindMissingRequest roots;
    for (const ContextTree& tree : trees) roots.add_digests(tree.root);
    MA_ASSIGN_OR_RETURN(const v1::FindMissingResponse answer, calls.find_missing(roots));
    missing.insert(answer.digests().begin(), answer.digests().end());
  }
  std::vector<const ContextTree*> incomplete;
  for (const ContextTree& tree : trees) {
    if (check_all || missing.contains(tree.root)) incomplete.push_back(&tree);
  }
  return incomplete;
}

// Of these trees' blobs, in their order and none twice, those that the controller lacks.
absl::StatusOr<std::vector<const Blob*>> FindMissing(const std::vector<const ContextTree*>& trees,
                                                     const ContentCalls& calls) {
  std::vector<const Blob*> blobs;
  Digests seen;
  for (const ContextTree* tree : trees) {
    for (const Blob& blob : tree->blobs) {
      if (seen.insert(blob.digest).second) blobs.push_back(&blob);
    }
  }
  Digests missing;
  v1::FindMissingRequest request;
  for (size_t i = 0; i < blobs.size(); ++i) {
    request.add_digests(blobs[i]->digest);
    if (request.digests_size() < kDigestsPerCall && i + 1 < blobs.size()) continue;
    MA_ASSIGN_OR_RETURN(const v1::FindMissingResponse answer, calls.find_missing(request));
    missing.insert(answer.digests().begin(), answer.digests().end());
    request.Clear();
  }
  blobs.erase(std::remove_if(blobs.begin(), blobs.end(),
                             [&](const Blob* blob) { return !missing.contains(blob->digest); }),
              blobs.end());
  return blobs;
}

// The bytes as they go over the wire.
struct Packed {
  v1::Compression compression = v1::COMPRESSION_NONE;
  std::string bytes;
};

Packed Pack(ZSTD_CCtx* compressor, std::string bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  const size_t n =
      ZSTD_compressCCtx(compressor, out.data(), out.size(), bytes.data(), bytes.size(), kZstdLevel);
  if (ZSTD_isError(n) != 0U || n >= bytes.size()) {
    return {v1::COMPRESSION_NONE, std::move(bytes)};
  }
  out.resize(n);
  return {v1::COMPRESSION_ZSTD, std::move(out)};
}

// Cuts blobs into pieces, one call a piece.
class PieceSource {
 public:
  PieceSource(const std::vector<const Blob*>& blobs, UploadStats& stats)
      : blobs_(blobs), stats_(stats) {}

  absl::StatusOr<bool> Next(v1::UploadRequest& piece) {
    if (index_ == blobs_.size()) return false;
    const Blob& blob = *blobs_[index_];
    if (!started_) {
      MA_ASSIGN_OR_RETURN(std::string bytes, ReadBlob(blob));
      packed_ = Pack(compressor_.get(), std::move(bytes));
      sent_ = 0;
      started_ = true;
      piece.set_digest(blob.digest);
      piece.set_size(blob.size);
      piece.set_compression(packed_.compression);
    }
    const size_t n = std::min(kPiece, packed_.bytes.size() - sent_);
    piece.set_data(packed_.bytes.substr(sent_, n));
    sent_ += n;
    stats_.sent_bytes += static_cast<int64_t>(n);
    if (sent_ == packed_.bytes.size()) {
      piece.set_last(true);
      stats_.bytes += blob.size;
      ++stats_.blobs;
      started_ = false;
      ++index_;
    }
    return true;
  }

 private:
  const std::vector<const Blob*>& blobs_;
  UploadStats& stats_;
  // One for all: making it costs more than compressing a small file.
  const std::unique_ptr<ZSTD_CCtx, size_t (*)(ZSTD_CCtx*)> compressor_{ZSTD_createCCtx(),
                                                                       ZSTD_freeCCtx};
  size_t index_ = 0;
  bool started_ = false;
  Packed packed_;
  size_t sent_ = 0;
};

}  // namespace

absl::StatusOr<UploadStats> UploadTrees(const std::vector<ContextTree>& trees, bool check_all,
                                        const ContentCalls& calls) {
  UploadStats stats;
  const absl::Time start = absl::Now();
  MA_ASSIGN_OR_RETURN(const std::vector<const ContextTree*> incomplete,
                      FindIncomplete(trees, check_all, calls));
  MA_ASSIGN_OR_RETURN(const std::vector<const Blob*> missing, FindMissing(incomplete, calls));
  const absl::Time known = absl::Now();
  stats.asking = known - start;
  std::vector<const Blob*> batch;
  int64_t bytes = 0;
  for (size_t i = 0; i < missing.size(); ++i) {
    batch.push_back(missing[i]);
    bytes += missing[i]->size;
    const bool full = bytes >= kStreamBytes || batch.size() >= kStreamBlobs;
    if (!full && i + 1 < missing.size()) continue;
    PieceSource source(batch, stats);
    MA_ASSIGN_OR_RETURN(
        const v1::UploadResponse response,
        calls.upload(bytes, [&](v1::UploadRequest& piece) { return source.Next(piece); }));
    if (static_cast<size_t>(response.stored_size()) < batch.size()) {
      return absl::InternalError(absl::StrCat("the controller stored ", response.stored_size(),
                                              " of ", batch.size(), " parts of the context"));
    }
    batch.clear();
    bytes = 0;
  }
  stats.sending = absl::Now() - known;
  return stats;
}

}  // namespace manyarch::cli
