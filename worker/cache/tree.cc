#include "worker/cache/tree.h"

#include "absl/container/flat_hash_set.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "manyarch/v1/content.pb.h"

namespace manyarch::worker {

namespace {

constexpr size_t kLongestName = 255;     // NAME_MAX
constexpr size_t kLongestTarget = 4095;  // PATH_MAX less the NUL

absl::Status Bad(absl::string_view dir, absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the context is not acceptable: '", ShownPath(dir, name), "' ", what));
}

// Names of one directory: each a single component, each list sorted, none twice.
class Names {
 public:
  explicit Names(absl::string_view dir) : dir_(dir) {}

  void StartList() { last_.clear(); }
  absl::Status Add(const std::string& name) {
    if (name.empty()) return Bad(dir_, name, "has an entry without a name");
    if (name == "." || name == ".." || absl::StrContains(name, '/') ||
        name.find('\0') != std::string::npos) {
      return Bad(dir_, name, "is not a plain name: '/', NUL, '.' and '..' are refused");
    }
    if (name.size() > kLongestName) return Bad(dir_, name, "has a name of over 255 bytes");
    if (!seen_.insert(name).second) return Bad(dir_, name, "comes twice");
    if (!last_.empty() && name <= last_) return Bad(dir_, name, "is out of order");
    last_ = name;
    return absl::OkStatus();
  }

 private:
  absl::string_view dir_;
  std::string last_;
  absl::flat_hash_set<std::string> seen_;
};

}  // namespace

std::string ShownPath(absl::string_view dir, absl::string_view name) {
  if (name.empty()) return dir.empty() ? "." : absl::CHexEscape(dir);
  return absl::CHexEscape(dir.empty() ? std::string(name) : absl::StrCat(dir, "/", name));
}

absl::StatusOr<TreeNode> ParseDirectory(absl::string_view bytes, absl::string_view path) {
  v1::Directory message;
  if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return Bad(path, "", "has a blob that is not a directory");
  }
  TreeNode node;
  Names names(path);
  if (message.mode() > 07777) return Bad(path, "", "has a mode with more than permission bits");
  node.mode = message.mode();
  for (const v1::FileEntry& entry : message.files()) {
    MA_RETURN_IF_ERROR(names.Add(entry.name()));
    if (entry.mode() > 07777) {
      return Bad(path, entry.name(),
                 "has a mode with more than permission bits: only plain files, directories and "
                 "links are taken");
    }
    if (entry.size() < 0 || (entry.size() == 0) != entry.chunks().empty()) {
      return Bad(path, entry.name(), "has a size that does not fit its chunks");
    }
    TreeFile file{entry.name(), entry.size(), entry.mode(), {}};
    for (const std::string& chunk : entry.chunks()) {
      absl::StatusOr<Digest> digest = Digest::Parse(chunk);
      if (!digest.ok()) return Bad(path, entry.name(), digest.status().message());
      file.chunks.push_back(*std::move(digest));
    }
    node.files.push_back(std::move(file));
  }
  names.StartList();
  for (const v1::DirectoryEntry& entry : message.directories()) {
    MA_RETURN_IF_ERROR(names.Add(entry.name()));
    absl::StatusOr<Digest> digest = Digest::Parse(entry.digest());
    if (!digest.ok()) return Bad(path, entry.name(), digest.status().message());
    node.directories.push_back({entry.name(), *std::move(digest)});
  }
  names.StartList();
  for (const v1::SymlinkEntry& entry : message.symlinks()) {
    MA_RETURN_IF_ERROR(names.Add(entry.name()));
    const std::string& target = entry.target();
    if (target.empty() || target.size() > kLongestTarget ||
        target.find('\0') != std::string::npos) {
      return Bad(path, entry.name(), "is a symbolic link whose target no system accepts");
    }
    node.links.push_back({entry.name(), target});
  }
  return node;
}

}  // namespace manyarch::worker
