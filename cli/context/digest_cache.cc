#include "cli/context/digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/os/files.h"
#include "manyarch/v1/kept_digests.pb.h"

namespace manyarch::cli {

namespace {

namespace fs = std::filesystem;

// To be raised with any change of the chunk borders or of what the fields mean.
constexpr int kVersion = 1;
constexpr size_t kDigestBytes = 32;
constexpr size_t kMostContexts = 100;
constexpr int64_t kMostBytes = int64_t{256} << 20;
constexpr absl::string_view kSuffix = ".digests";

std::string Checksum(absl::string_view bytes) {
  return absl::HexStringToBytes(Digest::Of(bytes).hex());
}

// The file's bytes, unless they are incomplete or may have been written by somebody else.
std::string ReadTrusted(const std::string& path) {
  struct stat info {};
  if (lstat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
      (info.st_mode & 022U) != 0 || info.st_size > kMostBytes) {
    return "";
  }
  std::string bytes = ReadFile(path).value_or("");
  if (bytes.size() < kDigestBytes) return "";
  const size_t size = bytes.size() - kDigestBytes;
  if (Checksum(absl::string_view(bytes).substr(0, size)) != bytes.substr(size)) return "";
  bytes.resize(size);
  return bytes;
}

// False where digests and sizes do not fit each other.
bool ReadContent(const v1::KeptFile& kept, FileContent& content) {
  const size_t chunks = static_cast<size_t>(kept.sizes_size());
  if (kept.digests().size() != chunks * kDigestBytes) return false;
  for (size_t i = 0; i < chunks; ++i) {
    const int64_t size = kept.sizes(static_cast<int>(i));
    const absl::string_view digest =
        absl::string_view(kept.digests()).substr(i * kDigestBytes, kDigestBytes);
    content.chunks.push_back(
        {absl::StrCat("sha256:", absl::BytesToHexString(digest)), content.size, size});
    content.size += size;
  }
  return content.size == kept.size();
}

void DropOldest(const std::string& directory) {
  struct Kept {
    fs::file_time_type used;
    int64_t size;
    fs::path path;
  };
  std::vector<Kept> all;
  std::error_code error;
  for (fs::directory_iterator it(directory, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    const Kept kept{it->last_write_time(gone), static_cast<int64_t>(it->file_size(gone)),
                    it->path()};
    if (!gone) all.push_back(kept);
  }
  std::sort(all.begin(), all.end(), [](const Kept& a, const Kept& b) { return a.used > b.used; });
  int64_t bytes = 0;
  for (size_t i = 0; i < all.size(); ++i) {
    bytes += all[i].size;
    if (i >= kMostContexts || bytes > kMostBytes) fs::remove(all[i].path, error);
  }
}

// Not synced: a file that a power cut has damaged does not have its checksum.
bool WriteWhole(const std::string& path, absl::string_view bytes) {
  std::string temporary = absl::StrCat(path, ".XXXXXX");
  const UniqueFd fd(mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.ok()) return false;
  if (WriteAll(fd.get(), bytes).ok() && rename(temporary.c_str(), path.c_str()) == 0) return true;
  unlink(temporary.c_str());
  return false;
}

}  // namespace

DigestCache DigestCache::Load(const std::string& cache_directory, const std::string& directory) {
  DigestCache cache;
  if (cache_directory.empty()) return cache;
  cache.cache_directory_ = cache_directory;
  cache.directory_ = directory;
  cache.file_ = absl::StrCat(cache_directory, "/",
                             std::string(Digest::Of(directory).hex().substr(0, 32)), kSuffix);
  v1::KeptDigests kept;
  if (!kept.ParseFromString(ReadTrusted(cache.file_)) || kept.version() != kVersion ||
      kept.directory() != directory) {
    return cache;
  }
  cache.entries_.reserve(static_cast<size_t>(kept.files_size()));
  for (const v1::KeptFile& file : kept.files()) {
    Entry entry;
    entry.stamp = {file.device(), file.inode(), file.size(),
                   file.mtime(),  file.ctime(), file.mode()};
    if (ReadContent(file, entry.content)) cache.entries_[file.path()] = std::move(entry);
  }
  return cache;
}

const FileContent* DigestCache::Find(absl::string_view path, const FileStamp& stamp) const {
  const auto it = entries_.find(path);
  return it != entries_.end() && it->second.stamp == stamp ? &it->second.content : nullptr;
}

void DigestCache::Replace(const Files& files, bool changed) const {
  if (file_.empty()) return;
  if (!changed && files.size() == entries_.size()) {
    // The time of the file's last change is the time of its last use.
    utimensat(AT_FDCWD, file_.c_str(), nullptr, 0);
    return;
  }
  v1::KeptDigests kept;
  kept.set_version(kVersion);
  kept.set_directory(directory_);
  for (const auto& [path, hashed] : files) {
    if (!hashed.settled) continue;
    v1::KeptFile& file = *kept.add_files();
    file.set_path(path);
    file.set_device(hashed.stamp.device);
    file.set_inode(hashed.stamp.inode);
    file.set_size(hashed.stamp.size);
    file.set_mtime(hashed.stamp.mtime);
    file.set_ctime(hashed.stamp.ctime);
    file.set_mode(hashed.stamp.mode);
    for (const Chunk& chunk : hashed.content.chunks) {
      file.mutable_digests()->append(
          absl::HexStringToBytes(absl::string_view(chunk.digest).substr(sizeof("sha256:") - 1)));
      file.add_sizes(chunk.size);
    }
  }
  if (!MakeDirs(cache_directory_, 0700).ok()) return;
  std::string bytes = kept.SerializeAsString();
  bytes += Checksum(bytes);
  if (WriteWhole(file_, bytes)) DropOldest(cache_directory_);
}

std::string DigestCacheDirectory(const char* (*getenv)(const char*)) {
  const char* cache = getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return absl::StrCat(cache, "/manyarch/digests");
  const char* home = getenv("HOME");
  if (home != nullptr && *home == '/') return absl::StrCat(home, "/.cache/manyarch/digests");
  return "";
}

}  // namespace manyarch::cli
