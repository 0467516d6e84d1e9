// Whether an uploaded context is all there and fit to be given to a worker.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "controller/content/content_store.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::controller {

namespace {

constexpr size_t kLongestName = 255;     // NAME_MAX
constexpr size_t kLongestTarget = 4095;  // PATH_MAX less the NUL
constexpr uint32_t kModeBits = 07777;

std::string Shown(const std::string& path) {
  return path.empty() ? "its root" : absl::StrCat("'", absl::CHexEscape(path.substr(1)), "'");
}

absl::Status Missing(const Digest& digest, const std::string& path) {
  return absl::FailedPreconditionError(absl::StrCat("the context is incomplete: ", Shown(path),
                                                    " (", digest.ToString(),
                                                    ") was not uploaded; upload it again"));
}

absl::Status Bad(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("the context's ", Shown(path), " ", why));
}

// The names of one directory: each a single component, each list sorted, none twice.
class Names {
 public:
  explicit Names(const std::string& path) : path_(path) {}

  void StartList() { last_.clear(); }
  absl::Status Take(const std::string& name) {
    if (name.empty() || name == "." || name == ".." || absl::StrContains(name, '/') ||
        name.find('\0') != std::string::npos || name.size() > kLongestName) {
      return absl::InvalidArgumentError(absl::StrCat("the context has an entry in ", Shown(path_),
                                                     " with the impossible name '",
                                                     absl::CHexEscape(name), "'"));
    }
    if (!names_.insert(name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context has two entries with the name ", Shown(path_ + "/" + name)));
    }
    if (name < last_) return Bad(path_ + "/" + name, "is out of order");
    last_ = name;
    return absl::OkStatus();
  }

 private:
  const std::string& path_;
  std::string last_;
  absl::flat_hash_set<std::string> names_;
};

}  // namespace

// Looks at each directory once, however often it appears: a small tree may unfold into an endless
// one.
class ContentStore::TreeCheck {
 public:
  explicit TreeCheck(ContentStore* store) : store_(store), limits_(store->limits()) {}

  absl::Status Run(const Digest& root) { return Directory(root, "", 0).status(); }

 private:
  // What a directory holds with all below it.
  struct Total {
    int64_t entries = 0;
    int64_t bytes = 0;
    int height = 0;
  };

  absl::StatusOr<Total> Directory(const Digest& digest, const std::string& path, int depth) {
    if (depth > limits_.depth) return TooDeep(path);
    if (const auto known = totals_.find(digest); known != totals_.end()) {
      if (depth + known->second.height > limits_.depth) return TooDeep(path);
      return known->second;
    }
    if (!store_->Has(digest)) return Missing(digest, path);
    MA_ASSIGN_OR_RETURN(const std::string bytes, store_->Get(digest));
    v1::Directory directory;
    if (!directory.ParseFromString(bytes)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context's directory ", Shown(path), " is not a Directory message"));
    }
    if (directory.mode() > kModeBits) return Bad(path, "has a mode with more than permissions");
    Total total;
    Names names(path);
    for (const v1::FileEntry& file : directory.files()) {
      MA_RETURN_IF_ERROR(names.Take(file.name()));
      const std::string below = absl::StrCat(path, "/", file.name());
      MA_RETURN_IF_ERROR(File(file, below));
      MA_RETURN_IF_ERROR(Count({1, file.size(), 0}, below, total));
    }
    names.StartList();
    for (const v1::SymlinkEntry& link : directory.symlinks()) {
      MA_RETURN_IF_ERROR(names.Take(link.name()));
      const std::string below = absl::StrCat(path, "/", link.name());
      if (link.target().empty() || link.target().size() > kLongestTarget ||
          link.target().find('\0') != std::string::npos) {
        return Bad(below, "is a symbolic link with no target that a system accepts");
      }
      MA_RETURN_IF_ERROR(Count({1, 0, 0}, below, total));
    }
    names.StartList();
    for (const v1::DirectoryEntry& child : directory.directories()) {
      MA_RETURN_IF_ERROR(names.Take(child.name()));
      const std::string below = absl::StrCat(path, "/", child.name());
      MA_ASSIGN_OR_RETURN(const Digest child_digest, Digest::Parse(child.digest()));
      MA_ASSIGN_OR_RETURN(Total inside, Directory(child_digest, below, depth + 1));
      ++inside.entries;
      ++inside.height;
      MA_RETURN_IF_ERROR(Count(inside, below, total));
    }
    totals_[digest] = total;
    return total;
  }

  absl::Status TooDeep(const std::string& path) const {
    return absl::InvalidArgumentError(absl::StrCat("the context is more than ", limits_.depth,
                                                   " directories deep at ", Shown(path)));
  }

  absl::Status Count(const Total& more, const std::string& path, Total& total) const {
    if (more.entries > limits_.entries - total.entries) {
      return absl::InvalidArgumentError(absl::StrCat("the context has more than ", limits_.entries,
                                                     " entries, counted up to ", Shown(path),
                                                     "; leave some out with .containerignore"));
    }
    if (more.bytes > limits_.bytes - total.bytes) {
      return absl::InvalidArgumentError(absl::StrCat("the context is larger than ", limits_.bytes,
                                                     " bytes, counted up to ", Shown(path),
                                                     "; leave some out with .containerignore"));
    }
    total.entries += more.entries;
    total.bytes += more.bytes;
    total.height = std::max(total.height, more.height);
    return absl::OkStatus();
  }

  absl::Status File(const v1::FileEntry& file, const std::string& path) const {
    if (file.mode() > kModeBits) return Bad(path, "has a mode with more than permissions");
    if (file.size() < 0) return Bad(path, "has a negative size");
    int64_t left = file.size();
    for (const std::string& chunk : file.chunks()) {
      MA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(chunk));
      const std::optional<int64_t> size = store_->Ask(digest);
      if (!size) return Missing(digest, path);
      left -= *size;
    }
    if (left != 0 && file.size() <= limits_.bytes) {
      return Bad(path, "has a size that does not fit its contents");
    }
    return absl::OkStatus();
  }

  ContentStore* const store_;
  const TreeLimits& limits_;
  absl::flat_hash_map<Digest, Total> totals_;
};

absl::Status ContentStore::CheckBlob(const Digest& digest, absl::string_view what, int64_t limit) {
  // Recorded before it is looked for, so that a sweep keeps it either way.
  const UniqueFd used(::open(RootPathOf(digest).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
  if (used.ok()) ::futimens(used.get(), nullptr);
  if (!Has(digest)) {
    return absl::FailedPreconditionError(absl::StrCat(what, " of the job (", digest.ToString(),
                                                      ") was not uploaded; upload it again"));
  }
  const absl::StatusOr<std::string> bytes = Get(digest);
  MA_RETURN_IF_ERROR(bytes.status());
  if (static_cast<int64_t>(bytes->size()) <= limit) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(what, " has ", bytes->size(), " bytes; at most ", limit, " are taken"));
}

absl::Status ContentStore::CheckTree(const Digest& root) {
  {
    // Recorded before anything is looked for: a sweep either sees this, or has begun and is told of
    // every blob that is asked for below.
    const UniqueFd used(::open(RootPathOf(root).c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
    if (used.ok()) ::futimens(used.get(), nullptr);
    absl::MutexLock lock(&mutex_);
    if (checked_.contains(root) && !sweeping_) return absl::OkStatus();
  }
  const absl::Status sound = TreeCheck(this).Run(root);
  if (!sound.ok()) {
    if (absl::IsFailedPrecondition(sound) && !Has(root)) ::unlink(RootPathOf(root).c_str());
    return sound;
  }
  absl::MutexLock lock(&mutex_);
  checked_.insert(root);
  return absl::OkStatus();
}

}  // namespace manyarch::controller
