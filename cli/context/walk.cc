#include "cli/context/walk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"

namespace manyarch::cli {

namespace {

constexpr absl::string_view kIgnoreHint = "or list it in .containerignore";

absl::Status Unreadable(absl::string_view path, int error) {
  return absl::InvalidArgumentError(absl::StrCat("cannot read ", QuotedPath(path),
                                                 " in the context: ", strerror(error),
                                                 ". Make it readable, ", kIgnoreHint, "."));
}

const char* SpecialKind(mode_t mode) {
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISFIFO(mode)) return "a named pipe";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no file, directory or link";
}

absl::StatusOr<std::string> ReadLink(int directory, const std::string& name,
                                     const std::string& shown) {
  std::string target(4096, '\0');
  while (true) {
    const ssize_t n = readlinkat(directory, name.c_str(), target.data(), target.size());
    if (n < 0) return Unreadable(shown, errno);
    if (static_cast<size_t>(n) < target.size()) {
      target.resize(static_cast<size_t>(n));
      return target;
    }
    target.resize(target.size() * 2);
  }
}

// One walk over one context.
class Walk {
 public:
  explicit Walk(const ContextPlace& place) : place_(place) {}

  // Fills `node` (a directory at `path`) from the open directory `fd`, which it takes.
  absl::Status Fill(int fd, const std::string& path, Node& node) {
    std::unique_ptr<DIR, int (*)(DIR*)> dir(fdopendir(fd), closedir);
    if (dir == nullptr) {
      const int error = errno;
      close(fd);
      return Unreadable(Shown(path), error);
    }
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = readdir(dir.get())) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) return Unreadable(Shown(path), errno);
    std::sort(names.begin(), names.end());
    for (std::string& name : names) {
      const std::string child = path.empty() ? name : absl::StrCat(path, "/", name);
      MA_ASSIGN_OR_RETURN(std::optional<Node> found, Visit(dirfd(dir.get()), child, name));
      if (found.has_value()) node.children.push_back(*std::move(found));
    }
    return absl::OkStatus();
  }

 private:
  std::string Shown(const std::string& path) const {
    return path.empty() ? place_.directory : absl::StrCat(place_.directory, "/", path);
  }

  absl::StatusOr<std::optional<Node>> Visit(int parent, const std::string& path,
                                            const std::string& name) {
    const bool ignored = place_.rules.Ignores(path);
    struct stat info {};
    if (fstatat(parent, name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (ignored || errno == ENOENT) return std::nullopt;  // Gone since it was listed.
      return Unreadable(Shown(path), errno);
    }
    if (++entries_ > kMostEntries) {
      return absl::InvalidArgumentError(absl::StrCat(
          "the context ", QuotedPath(place_.directory), " has more than ", kMostEntries,
          " files, counted up to ", QuotedPath(path),
          ": is it the directory you meant? Leave out what the build does not need with "
          ".containerignore."));
    }
    Node node;
    node.name = name;
    node.mode = info.st_mode & 07777U;
    if (S_ISDIR(info.st_mode)) {
      if (ignored && !place_.rules.MayBringBackBelow(path)) return std::nullopt;
      node.kind = Node::Kind::kDirectory;
      const int fd = openat(parent, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
      if (fd < 0) {
        if (ignored) return std::nullopt;
        return Unreadable(Shown(path), errno);
      }
      if (++depth_ > kDeepestTree) {
        close(fd);
        return absl::InvalidArgumentError(
            absl::StrCat(QuotedPath(Shown(path)), " is more than ", kDeepestTree,
                         " directories deep in the context: remove it, ", kIgnoreHint, "."));
      }
      MA_RETURN_IF_ERROR(Fill(fd, path, node));
      --depth_;
      if (ignored && node.children.empty()) return std::nullopt;
      return node;
    }
    if (ignored) return std::nullopt;
    if (S_ISLNK(info.st_mode)) {
      node.kind = Node::Kind::kSymlink;
      MA_ASSIGN_OR_RETURN(node.target, ReadLink(parent, name, Shown(path)));
      return node;
    }
    if (!S_ISREG(info.st_mode)) {
      return absl::InvalidArgumentError(
          absl::StrCat(QuotedPath(Shown(path)), " in the context is ", SpecialKind(info.st_mode),
                       ": only files, directories and symbolic links can be sent. Remove it, ",
                       kIgnoreHint, "."));
    }
    node.stamp = FileStamp::Of(info);
    return node;
  }

  const ContextPlace& place_;
  int64_t entries_ = 0;
  int depth_ = 0;
};

// Returns whether anything of the directory is left.
bool LeaveOut(const IgnoreRules& rules, const std::string& path, Node& directory) {
  std::vector<Node> left;
  for (Node& child : directory.children) {
    const std::string below = path.empty() ? child.name : absl::StrCat(path, "/", child.name);
    const bool ignored = rules.Ignores(below);
    if (child.kind == Node::Kind::kDirectory) {
      const bool any = LeaveOut(rules, below, child);
      if (ignored && !any) continue;
    } else if (ignored) {
      continue;
    }
    left.push_back(std::move(child));
  }
  directory.children = std::move(left);
  return !directory.children.empty();
}

}  // namespace

void LeaveOutIgnored(const IgnoreRules& rules, Node& root) { LeaveOut(rules, "", root); }

std::string QuotedPath(absl::string_view path) { return absl::StrCat("'", EscapedText(path), "'"); }

absl::StatusOr<Node> WalkContext(const ContextPlace& place) {
  const int fd = open(place.directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return Unreadable(place.directory, errno);
  Node root;
  root.kind = Node::Kind::kDirectory;
  struct stat info {};
  if (fstat(fd, &info) != 0) {
    const int error = errno;
    close(fd);
    return Unreadable(place.directory, error);
  }
  root.mode = info.st_mode & 07777U;
  MA_RETURN_IF_ERROR(Walk(place).Fill(fd, "", root));
  return root;
}

}  // namespace manyarch::cli
