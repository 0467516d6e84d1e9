#include "worker/cache/content_cache.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

// The most that one call of the content service takes.
constexpr size_t kBatch = 10'000;

}  // namespace

absl::StatusOr<std::unique_ptr<ContentCache>> ContentCache::Open(const std::string& dir) {
  MA_RETURN_IF_ERROR(MakeDirs(dir + "/sha256"));
  MA_RETURN_IF_ERROR(RemoveTree(dir + "/new"));
  MA_RETURN_IF_ERROR(MakeDirs(dir + "/new", 0700));
  for (int i = 0; i < 256; ++i) {
    MA_RETURN_IF_ERROR(MakeDirs(absl::StrCat(dir, "/sha256/", absl::Hex(i, absl::kZeroPad2))));
  }
  return std::unique_ptr<ContentCache>(new ContentCache(dir));
}

std::string ContentCache::PathOf(const Digest& digest) const {
  return absl::StrCat(dir_, "/sha256/", digest.hex().substr(0, 2), "/", digest.hex());
}

bool ContentCache::Has(const Digest& digest) const { return PathExists(PathOf(digest)); }

absl::StatusOr<std::string> ContentCache::Get(const Digest& digest) {
  const std::string path = PathOf(digest);
  MA_ASSIGN_OR_RETURN(std::string bytes, ReadFile(path));
  if (Digest::Of(bytes) != digest) {
    unlink(path.c_str());
    return absl::NotFoundError(
        absl::StrCat("reading ", path, ": the file was damaged and has been removed"));
  }
  // The time of last change is the time of last use, for Prune.
  utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  return bytes;
}

absl::Status ContentCache::Put(const Digest& digest, absl::string_view bytes) {
  if (const Digest found = Digest::Of(bytes); found != digest) {
    return absl::InvalidArgumentError(absl::StrCat(
        "storing the blob ", digest.ToString(), ": its bytes have the digest ", found.ToString()));
  }
  std::string temporary = dir_ + "/new/XXXXXX";
  UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("storing a blob in ", dir_));
  absl::Status status = WriteAll(fd.get(), bytes);
  if (status.ok() && rename(temporary.c_str(), PathOf(digest).c_str()) != 0) {
    status = absl::ErrnoToStatus(errno, "renaming into place");
  }
  if (!status.ok()) unlink(temporary.c_str());
  return Annotate(status, absl::StrCat("storing a blob in ", dir_));
}

absl::Status ContentCache::Ensure(absl::Span<const Digest> digests, ContentSource& source,
                                  const StopToken& stop) {
  absl::flat_hash_set<Digest> seen;
  std::vector<Digest> missing;
  const auto fetch = [&]() -> absl::Status {
    if (missing.empty()) return absl::OkStatus();
    absl::flat_hash_set<Digest> wanted(missing.begin(), missing.end());
    MA_RETURN_IF_ERROR(source.Fetch(
        missing, stop, [&](const Digest& digest, const std::string& bytes) -> absl::Status {
          if (wanted.erase(digest) == 0) {
            return absl::DataLossError(
                absl::StrCat("got the blob ", digest.ToString(), ", which was not asked for"));
          }
          return Put(digest, bytes);
        }));
    if (!wanted.empty()) {
      return absl::DataLossError(
          absl::StrCat("the blob ", wanted.begin()->ToString(), " was asked for but not sent"));
    }
    missing.clear();
    return absl::OkStatus();
  };
  for (const Digest& digest : digests) {
    if (!seen.insert(digest).second || Has(digest)) continue;
    missing.push_back(digest);
    if (missing.size() == kBatch) MA_RETURN_IF_ERROR(fetch());
  }
  return fetch();
}

void ContentCache::Pin::Add(absl::Span<const Digest> digests) {
  absl::MutexLock lock(&cache_->pin_mutex_);
  for (const Digest& digest : digests) ++cache_->pins_[std::string(digest.hex())];
  digests_.insert(digests_.end(), digests.begin(), digests.end());
}

ContentCache::Pin::~Pin() {
  absl::MutexLock lock(&cache_->pin_mutex_);
  for (const Digest& digest : digests_) {
    const auto it = cache_->pins_.find(std::string(digest.hex()));
    if (--it->second == 0) cache_->pins_.erase(it);
  }
}

absl::Status ContentCache::Prune(int64_t limit_bytes, const StopToken& stop) {
  if (!prune_mutex_.TryLock()) return absl::OkStatus();
  const absl::Status status = RemoveOldest(limit_bytes, 0, stop);
  prune_mutex_.Unlock();
  return status;
}

absl::Status ContentCache::Free(int64_t bytes) {
  if (bytes <= 0) return absl::OkStatus();
  absl::MutexLock lock(&prune_mutex_);
  return RemoveOldest(INT64_MAX, bytes, StopToken());
}

// Until at most `limit_bytes` are left and `at_least` are gone.
absl::Status ContentCache::RemoveOldest(int64_t limit_bytes, int64_t at_least,
                                        const StopToken& stop) {
  struct Blob {
    fs::file_time_type used;
    int64_t size;
    fs::path path;
  };
  std::vector<Blob> blobs;
  int64_t total = 0;
  std::error_code error;
  for (fs::recursive_directory_iterator it(dir_ + "/sha256", error), end; !error && it != end;
       it.increment(error)) {
    if (stop.stopped()) return absl::OkStatus();
    // A blob may go while we look: its error is not ours.
    std::error_code gone;
    if (!it->is_regular_file(gone) || gone) continue;
    const auto size = static_cast<int64_t>(it->file_size(gone));
    const auto used = it->last_write_time(gone);
    if (gone) continue;
    blobs.push_back({used, size, it->path()});
    total += size;
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("pruning ", dir_));
  limit_bytes = std::min(limit_bytes, std::max<int64_t>(0, total - at_least));
  if (total <= limit_bytes) return absl::OkStatus();
  std::sort(blobs.begin(), blobs.end(),
            [](const Blob& a, const Blob& b) { return a.used < b.used; });
  for (const Blob& blob : blobs) {
    if (total <= limit_bytes || stop.stopped()) break;
    // Under the lock: what is pinned after it was looked at stays, too.
    absl::MutexLock pin_lock(&pin_mutex_);
    if (pins_.contains(blob.path.filename().string())) continue;
    if (fs::remove(blob.path, error)) total -= blob.size;
  }
  return absl::OkStatus();
}

}  // namespace manyarch::worker
