// Whether an uploaded context is all there and fit to be given to a worker.
#include <set>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/content/content_store.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::controller {

namespace {

constexpr int kDeepest = 128;  // Directories inside each other.
constexpr int64_t kMostEntries = 2'000'000;
constexpr int64_t kLargestTree = int64_t{64} << 30;  // Bytes.

class TreeCheck {
 public:
  explicit TreeCheck(const ContentStore* store) : store_(store) {}

  absl::Status Directory(const std::string& digest_text, const std::string& path, int depth) {
    if (depth > kDeepest) {
      return absl::InvalidArgumentError(absl::StrCat("the context is more than ", kDeepest,
                                                     " directories deep at ", Shown(path)));
    }
    MA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(digest_text));
    const absl::StatusOr<std::string> bytes = store_->Get(digest);
    if (absl::IsNotFound(bytes.status())) return Missing(digest, path);
    MA_RETURN_IF_ERROR(bytes.status());
    v1::Directory directory;
    if (!directory.ParseFromString(*bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context's directory ", Shown(path), " is not a Directory message"));
    }
    std::set<std::string> names;
    for (const v1::FileEntry& file : directory.files()) {
      MA_RETURN_IF_ERROR(Name(file.name(), path, names));
      MA_RETURN_IF_ERROR(File(file, absl::StrCat(path, "/", file.name())));
    }
    for (const v1::SymlinkEntry& link : directory.symlinks()) {
      MA_RETURN_IF_ERROR(Name(link.name(), path, names));
      if (link.target().empty()) {
        return absl::InvalidArgumentError(absl::StrCat(
            "the context's symbolic link ", Shown(path + "/" + link.name()), " has no target"));
      }
    }
    for (const v1::DirectoryEntry& child : directory.directories()) {
      MA_RETURN_IF_ERROR(Name(child.name(), path, names));
      MA_RETURN_IF_ERROR(
          Directory(child.digest(), absl::StrCat(path, "/", child.name()), depth + 1));
    }
    return absl::OkStatus();
  }

 private:
  static std::string Shown(const std::string& path) {
    return path.empty() ? "its root" : absl::StrCat("'", absl::CHexEscape(path.substr(1)), "'");
  }

  static absl::Status Missing(const Digest& digest, const std::string& path) {
    return absl::FailedPreconditionError(absl::StrCat("the context is incomplete: ", Shown(path),
                                                      " (", digest.ToString(),
                                                      ") was not uploaded; upload it again"));
  }

  absl::Status Name(const std::string& name, const std::string& path,
                    std::set<std::string>& names) {
    if (name.empty() || name == "." || name == ".." || absl::StrContains(name, '/') ||
        name.find('\0') != std::string::npos || name.size() > 255) {
      return absl::InvalidArgumentError(absl::StrCat("the context has an entry in ", Shown(path),
                                                     " with the impossible name '",
                                                     absl::CHexEscape(name), "'"));
    }
    if (!names.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context has two entries with the name ", Shown(path + "/" + name)));
    }
    if (++entries_ > kMostEntries) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context has more than ", kMostEntries,
                       " entries; leave some out with .containerignore"));
    }
    return absl::OkStatus();
  }

  absl::Status File(const v1::FileEntry& file, const std::string& path) {
    const bool fits = file.size() >= 0 && file.size() <= kLargestTree - bytes_;
    if (fits) bytes_ += file.size();
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat("the context is larger than ",
                                                     kLargestTree >> 30,
                                                     " GiB; leave some out with .containerignore"));
    }
    for (const std::string& chunk : file.chunks()) {
      MA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(chunk));
      if (!store_->Has(digest)) return Missing(digest, path);
    }
    return absl::OkStatus();
  }

  const ContentStore* const store_;
  int64_t entries_ = 0;
  int64_t bytes_ = 0;
};

}  // namespace

absl::Status ContentStore::CheckBlob(const Digest& digest, absl::string_view what,
                                     int64_t limit) const {
  const absl::StatusOr<std::string> bytes = Get(digest);
  if (absl::IsNotFound(bytes.status())) {
    return absl::FailedPreconditionError(absl::StrCat(what, " of the job (", digest.ToString(),
                                                      ") was not uploaded; upload it again"));
  }
  MA_RETURN_IF_ERROR(bytes.status());
  if (static_cast<int64_t>(bytes->size()) <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has ", bytes->size(), " bytes; at most ", limit, " are taken"));
}

absl::Status ContentStore::CheckTree(const Digest& root) {
  {
    absl::MutexLock lock(&mutex_);
    if (checked_.contains(root)) return absl::OkStatus();
  }
  MA_RETURN_IF_ERROR(TreeCheck(this).Directory(root.ToString(), "", 0));
  absl::MutexLock lock(&mutex_);
  checked_.insert(root);
  return absl::OkStatus();
}

}  // namespace manyarch::controller
