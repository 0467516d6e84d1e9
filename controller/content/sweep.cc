// Giving up the contexts that were used longest ago.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/content/content_store.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::controller {

namespace fs = std::filesystem;

struct ContentStore::Inventory {
  struct Blob {
    int64_t size = 0;
    absl::Time used = absl::InfinitePast();
    bool root = false;
  };
  absl::flat_hash_map<Digest, Blob> blobs;
  int64_t bytes = 0;
};

namespace {

// The digest that a file is named after, if it is.
std::optional<Digest> DigestOf(const fs::path& path) {
  absl::StatusOr<Digest> digest = Digest::Parse(absl::StrCat("sha256:", path.filename().string()));
  if (!digest.ok()) return std::nullopt;
  return *std::move(digest);
}

absl::Status ListingFailed(const std::string& directory, const std::error_code& error) {
  return absl::UnavailableError(absl::StrCat("listing ", directory, ": ", error.message()));
}

}  // namespace

absl::Status ContentStore::ListBlobs(Inventory& all) const {
  const std::string top = absl::StrCat(directory_, "/sha256");
  std::error_code error;
  for (fs::recursive_directory_iterator it(top, error), end; !error && it != end;
       it.increment(error)) {
    struct stat info = {};
    const std::optional<Digest> digest = DigestOf(it->path());
    if (!digest || ::stat(it->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    all.blobs[*digest] = {info.st_size, absl::TimeFromTimespec(info.st_mtim), false};
    all.bytes += info.st_size;
  }
  return error ? ListingFailed(top, error) : absl::OkStatus();
}

// Everything below `root` was used at `when`, if not later.
void ContentStore::Use(const Digest& root, absl::Time when, Inventory& all) const {
  std::vector<Digest> directories = {root};
  absl::flat_hash_set<Digest> seen = {root};
  const auto raise = [&](const Digest& digest) {
    const auto it = all.blobs.find(digest);
    if (it != all.blobs.end()) it->second.used = std::max(it->second.used, when);
    return it != all.blobs.end();
  };
  while (!directories.empty()) {
    const Digest digest = std::move(directories.back());
    directories.pop_back();
    if (!raise(digest)) continue;
    const absl::StatusOr<std::string> bytes = Get(digest);
    v1::Directory directory;
    // A root may be a blob that is no directory: a Containerfile beside its context.
    if (!bytes.ok() || !directory.ParseFromString(*bytes)) continue;
    for (const v1::FileEntry& file : directory.files()) {
      for (const std::string& chunk : file.chunks()) {
        if (const auto parsed = Digest::Parse(chunk); parsed.ok()) raise(*parsed);
      }
    }
    for (const v1::DirectoryEntry& child : directory.directories()) {
      const auto parsed = Digest::Parse(child.digest());
      if (parsed.ok() && seen.insert(*parsed).second) directories.push_back(*parsed);
    }
  }
}

absl::Status ContentStore::UseRoots(const std::vector<Digest>& live, absl::Time now,
                                    Inventory& all) const {
  for (const Digest& root : live) {
    Use(root, absl::InfiniteFuture(), all);
    // Once the job has ended, its context counts as used until then.
    const timespec times[2] = {absl::ToTimespec(now), absl::ToTimespec(now)};
    ::utimensat(AT_FDCWD, RootPathOf(root).c_str(), times, 0);
  }
  const std::string top = absl::StrCat(directory_, "/roots");
  std::error_code error;
  for (fs::directory_iterator it(top, error), end; !error && it != end; it.increment(error)) {
    struct stat info = {};
    const std::optional<Digest> root = DigestOf(it->path());
    if (!root || ::stat(it->path().c_str(), &info) != 0) continue;
    absl::Time used = absl::TimeFromTimespec(info.st_mtim);
    if (const auto blob = all.blobs.find(*root); blob != all.blobs.end()) {
      // Clients ask for the root alone to learn whether they need to send anything.
      used = std::max(used, blob->second.used);
      blob->second.root = true;
    } else if (now - used > kKept) {
      fs::remove(it->path(), error);
      continue;
    }
    Use(*root, used, all);
  }
  return error ? ListingFailed(top, error) : absl::OkStatus();
}

bool ContentStore::RemoveUnlessAskedFor(const Digest& digest) {
  absl::MutexLock lock(&mutex_);
  if (asked_for_.contains(digest)) return false;
  // Trees found to be sound before may no longer be.
  checked_.clear();
  return ::unlink(PathOf(digest).c_str()) == 0;
}

absl::StatusOr<ContentStore::Swept> ContentStore::Sweep(
    int64_t limit, absl::Time now,
    const std::function<absl::StatusOr<std::vector<Digest>>()>& live) {
  {
    absl::MutexLock lock(&mutex_);
    sweeping_ = true;
    asked_for_.clear();
  }
  const auto sweep = [&]() -> absl::StatusOr<Swept> {
    Inventory all;
    MA_RETURN_IF_ERROR(ListBlobs(all));
    {
      absl::MutexLock lock(&mutex_);
      bytes_ = all.bytes;
    }
    Swept swept;
    swept.left_bytes = all.bytes;
    if (all.bytes <= limit) return swept;
    // After listing: what a job needs was there before it was live.
    MA_ASSIGN_OR_RETURN(const std::vector<Digest> roots, live());
    MA_RETURN_IF_ERROR(UseRoots(roots, now, all));
    std::vector<std::pair<Digest, Inventory::Blob>> old;
    for (const auto& [digest, blob] : all.blobs) {
      if (blob.used == absl::InfiniteFuture()) swept.live_bytes += blob.size;
      if (now - blob.used > kKept) old.emplace_back(digest, blob);
    }
    // Roots before what they refer to: a root that is there speaks for the rest.
    std::sort(old.begin(), old.end(), [](const auto& a, const auto& b) {
      return std::make_pair(a.second.used, !a.second.root) <
             std::make_pair(b.second.used, !b.second.root);
    });
    const int64_t enough = limit - limit / 10;
    for (const auto& [digest, blob] : old) {
      if (swept.left_bytes <= enough) break;
      if (!RemoveUnlessAskedFor(digest)) continue;
      ++swept.removed_blobs;
      swept.removed_bytes += blob.size;
      swept.left_bytes -= blob.size;
      if (blob.root) ::unlink(RootPathOf(digest).c_str());
    }
    absl::MutexLock lock(&mutex_);
    bytes_ -= swept.removed_bytes;
    return swept;
  };
  absl::StatusOr<Swept> swept = sweep();
  absl::MutexLock lock(&mutex_);
  sweeping_ = false;
  asked_for_.clear();
  return swept;
}

int64_t ContentStore::bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace manyarch::controller
