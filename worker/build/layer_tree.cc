#include "worker/build/layer_tree.h"

#include <fcntl.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <deque>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/os/beneath.h"

namespace manyarch::worker {

namespace {

constexpr int kMostLinks = 40;

// How overlayfs keeps the name of something that was removed.
bool IsWhiteout(const struct stat& info) {
  return S_ISCHR(info.st_mode) && major(info.st_rdev) == 0 && minor(info.st_rdev) == 0;
}

// Whether nothing of the layers below is seen in this directory.
bool IsOpaque(int dir, const std::string& path) {
  const UniqueFd fd = OpenWithoutLinks(dir, path, O_RDONLY | O_DIRECTORY);
  char value = 0;
  for (const char* name : {"trusted.overlay.opaque", "user.overlay.opaque"}) {
    if (fd.ok() && fgetxattr(fd.get(), name, &value, 1) == 1 && value == 'y') return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<LayerTree> LayerTree::Open(const std::vector<std::string>& dirs) {
  std::vector<UniqueFd> layers;
  for (const std::string& dir : dirs) {
    layers.emplace_back(open(dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!layers.back().ok()) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", dir));
  }
  return LayerTree(std::move(layers));
}

std::optional<LayerTree::Entry> LayerTree::Look(absl::string_view path) const {
  const std::vector<absl::string_view> parts = absl::StrSplit(path, '/', absl::SkipEmpty());
  if (parts.empty()) return std::nullopt;
  for (size_t layer = 0; layer < layers_.size(); ++layer) {
    const int dir = layers_[layer].get();
    bool opaque = false;
    for (size_t n = 1; n <= parts.size(); ++n) {
      Entry entry;
      entry.layer = layer;
      entry.path = absl::StrJoin(parts.begin(), parts.begin() + static_cast<ptrdiff_t>(n), "/");
      const UniqueFd fd = OpenWithoutLinks(dir, entry.path, O_PATH);
      if (!fd.ok() || fstat(fd.get(), &entry.info) != 0) {
        const bool absent = errno == ENOENT || errno == ENOTDIR || errno == ENAMETOOLONG;
        if (!absent && error_ == 0) error_ = errno;
        break;  // Not in this layer.
      }
      if (IsWhiteout(entry.info)) return std::nullopt;
      if (n == parts.size()) return entry;
      if (!S_ISDIR(entry.info.st_mode)) return std::nullopt;
      opaque = opaque || IsOpaque(dir, entry.path);
    }
    if (opaque) return std::nullopt;
  }
  return std::nullopt;
}

std::optional<LayerTree::Entry> LayerTree::Find(absl::string_view path) const {
  const auto split = [](absl::string_view text) -> std::deque<std::string> {
    return absl::StrSplit(text, '/', absl::SkipEmpty());
  };
  std::deque<std::string> todo = split(path);
  std::vector<std::string> done;
  int links = 0;
  std::optional<Entry> entry;
  while (!todo.empty()) {
    const std::string part = std::move(todo.front());
    todo.pop_front();
    if (part == ".") continue;
    if (part == "..") {
      if (!done.empty()) done.pop_back();
      continue;
    }
    done.push_back(part);
    entry = Look(absl::StrJoin(done, "/"));
    if (!entry) return std::nullopt;
    if (!S_ISLNK(entry->info.st_mode)) continue;
    char target[PATH_MAX];
    const UniqueFd link = OpenWithoutLinks(layers_[entry->layer].get(), entry->path, O_PATH);
    const ssize_t size = readlinkat(link.get(), "", target, sizeof target);
    if (size <= 0 || ++links > kMostLinks) return std::nullopt;
    const absl::string_view text(target, static_cast<size_t>(size));
    done.pop_back();
    if (text[0] == '/') done.clear();
    const std::deque<std::string> more = split(text);
    todo.insert(todo.begin(), more.begin(), more.end());
  }
  // It may have ended in "..", or on the root.
  return done.empty() ? std::nullopt : Look(absl::StrJoin(done, "/"));
}

std::string LayerTree::Head(const Entry& entry, size_t limit) const {
  if (!S_ISREG(entry.info.st_mode)) return "";
  const UniqueFd fd =
      OpenWithoutLinks(layers_[entry.layer].get(), entry.path, O_RDONLY | O_NONBLOCK);
  std::string bytes(limit, '\0');
  const ssize_t size = fd.ok() ? pread(fd.get(), bytes.data(), limit, 0) : -1;
  bytes.resize(size > 0 ? static_cast<size_t>(size) : 0);
  return bytes;
}

}  // namespace manyarch::worker
