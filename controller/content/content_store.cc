#include "controller/content/content_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/disk.h"
#include "common/os/files.h"

namespace manyarch::controller {

absl::StatusOr<std::unique_ptr<ContentStore>> ContentStore::Open(const std::string& directory,
                                                                 TreeLimits limits) {
  const std::string incoming = absl::StrCat(directory, "/incoming");
  MA_RETURN_IF_ERROR(RemoveTree(incoming));
  MA_RETURN_IF_ERROR(MakeDirs(incoming));
  MA_RETURN_IF_ERROR(MakeDirs(absl::StrCat(directory, "/roots")));
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < 256; ++i) {
    MA_RETURN_IF_ERROR(MakeDirs(absl::StrCat(directory, "/sha256/", std::string(1, kHex[i / 16]),
                                             std::string(1, kHex[i % 16]))));
  }
  return std::unique_ptr<ContentStore>(new ContentStore(directory, limits));
}

std::string ContentStore::PathOf(const Digest& digest) const {
  return absl::StrCat(directory_, "/sha256/", digest.hex().substr(0, 2), "/", digest.hex());
}

absl::StatusOr<ContentStore::Census> ContentStore::VerifyAll() const {
  Census census;
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(directory_ + "/sha256", error), end;
       !error && it != end; it.increment(error)) {
    if (!it->is_regular_file()) continue;
    const std::string path = it->path().string();
    MA_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(path));
    ++census.blobs;
    census.bytes += static_cast<int64_t>(bytes.size());
    if (Digest::Of(bytes).hex() != absl::string_view(it->path().filename().native())) {
      census.faults.push_back(absl::StrCat("the blob ", path, " does not have its digest"));
    }
  }
  if (error) {
    return absl::UnavailableError(absl::StrCat("listing ", directory_, ": ", error.message()));
  }
  return census;
}

std::string ContentStore::RootPathOf(const Digest& root) const {
  return absl::StrCat(directory_, "/roots/", root.hex());
}

bool ContentStore::Has(const Digest& digest) { return Ask(digest).has_value(); }

std::optional<int64_t> ContentStore::Ask(const Digest& digest) {
  const std::string path = PathOf(digest);
  struct stat info = {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  // Touched before looking whether a sweep is under way: one that begins later sees the time, one
  // that has begun is told. Not every time, for that would be a write each.
  if (absl::Now() - absl::TimeFromTimespec(info.st_mtim) > kKept / 4) {
    ::utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
  }
  absl::MutexLock lock(&mutex_);
  if (sweeping_) {
    asked_for_.insert(digest);
    if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  }
  return info.st_size;
}

absl::StatusOr<std::string> ContentStore::Get(const Digest& digest) const {
  absl::StatusOr<std::string> bytes = ReadFile(PathOf(digest));
  if (absl::IsNotFound(bytes.status())) {
    return absl::NotFoundError(
        absl::StrCat("the controller does not have the blob ", digest.ToString()));
  }
  return bytes;
}

absl::Status ContentStore::SyncAll() const {
  const UniqueFd dir(::open(directory_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir.ok()) return StateFileError("opening", directory_);
  if (::syncfs(dir.get()) != 0) return StateFileError("syncing", directory_);
  return absl::OkStatus();
}

ContentStore::Upload::~Upload() {
  for (const auto& [digest, path] : staged_) ::unlink(path.c_str());
}

absl::Status ContentStore::Upload::Add(const Digest& digest, absl::string_view bytes) {
  if (Digest::Of(bytes) != digest) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ", bytes.size(), " bytes sent as ", digest.ToString(),
                     " have another digest; they changed on the way"));
  }
  if (store_->Has(digest)) return absl::OkStatus();
  int64_t number = 0;
  {
    absl::MutexLock lock(&store_->mutex_);
    number = ++store_->last_staged_;
  }
  const std::string path = absl::StrCat(store_->directory_, "/incoming/", number);
  const UniqueFd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!file.ok()) return StateFileError("creating", path);
  staged_.emplace_back(digest, path);
  if (!WriteAll(file.get(), bytes).ok()) return StateFileError("writing", path);
  bytes_ += static_cast<int64_t>(bytes.size());
  return absl::OkStatus();
}

absl::Status ContentStore::Upload::Commit() {
  if (staged_.empty()) return absl::OkStatus();
  MA_RETURN_IF_ERROR(store_->SyncAll());
  for (const auto& [digest, path] : staged_) {
    if (std::rename(path.c_str(), store_->PathOf(digest).c_str()) != 0) {
      return StateFileError("storing", path);
    }
  }
  MA_RETURN_IF_ERROR(store_->SyncAll());
  {
    absl::MutexLock lock(&store_->mutex_);
    store_->bytes_ += bytes_;
  }
  bytes_ = 0;
  staged_.clear();
  return absl::OkStatus();
}

}  // namespace manyarch::controller
