#include "cli/context/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli {

namespace {

constexpr size_t kLongestName = 255;     // NAME_MAX
constexpr size_t kLongestTarget = 4095;  // PATH_MAX less the NUL
constexpr uint32_t kImpliedMode = 0755;  // Of directories that no entry of their own describes.

absl::Status Refused(absl::string_view path, absl::string_view why) {
  return absl::InvalidArgumentError(
      absl::StrCat("the archive is not acceptable as a context: ", QuotedPath(path), " ", why));
}

// What an archive has at one place; sorted by name, as contexts are.
struct Place {
  Node node;
  std::map<std::string, Place> children;
};

Node ToNode(Place place) {
  Node node = std::move(place.node);
  for (auto& [name, child] : place.children) node.children.push_back(ToNode(std::move(child)));
  return node;
}

struct Input {
  int fd = -1;
  absl::string_view head;
  std::vector<char> buffer = std::vector<char>(size_t{256} << 10);
};

la_ssize_t ReadInput(archive* a, void* data, const void** bytes) {
  Input& input = *static_cast<Input*>(data);
  if (!input.head.empty()) {
    *bytes = input.head.data();
    return static_cast<la_ssize_t>(std::exchange(input.head, absl::string_view()).size());
  }
  while (true) {
    const ssize_t n = read(input.fd, input.buffer.data(), input.buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) archive_set_error(a, errno, "reading it: %s", strerror(errno));
    *bytes = input.buffer.data();
    return n;
  }
}

class Reader {
 public:
  Reader(const std::string& spool, const ArchiveLimits& limits) : spool_(spool), limits_(limits) {
    root_.node.kind = Node::Kind::kDirectory;
    root_.node.mode = kImpliedMode;
  }

  absl::StatusOr<Node> Read(Input& input) {
    out_.reset(open(spool_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (!out_.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("creating ", spool_));
    archive_read_support_format_tar(in_.get());
    archive_read_support_filter_gzip(in_.get());
    archive_read_support_filter_bzip2(in_.get());
    archive_read_support_filter_xz(in_.get());
    archive_read_support_filter_zstd(in_.get());
    if (archive_read_open(in_.get(), &input, nullptr, ReadInput, nullptr) != ARCHIVE_OK) {
      return Broken();
    }
    archive_entry* entry = nullptr;
    while (true) {
      const int result = archive_read_next_header(in_.get(), &entry);
      if (result == ARCHIVE_EOF) return ToNode(std::move(root_));
      // A warning is about names that are not of this locale: they are taken as they are.
      if (result != ARCHIVE_OK && result != ARCHIVE_WARN) return Broken();
      const char* name = archive_entry_pathname(entry);
      if (name == nullptr) return Refused("", "is an entry without a name");
      MA_RETURN_IF_ERROR(Take(name, entry));
    }
  }

 private:
  struct FreeArchive {
    void operator()(archive* a) const { archive_read_free(a); }
  };

  absl::Status Broken() const {
    const char* why = archive_error_string(in_.get());
    return absl::InvalidArgumentError(absl::StrCat("the context on standard input cannot be read: ",
                                                   why == nullptr ? "it is damaged" : why));
  }

  // The components of a path; refuses what leads anywhere but down.
  absl::StatusOr<std::vector<std::string>> Components(const std::string& path) const {
    if (absl::StartsWith(path, "/")) return Refused(path, "is an absolute path");
    std::vector<std::string> components;
    for (const absl::string_view part : absl::StrSplit(path, '/', absl::SkipEmpty())) {
      if (part == ".") continue;
      if (part == "..") return Refused(path, "has '..' in it, which may lead out of the context");
      if (part.size() > kLongestName) return Refused(path, "has a name of over 255 bytes");
      components.emplace_back(part);
    }
    if (components.size() > static_cast<size_t>(limits_.max_depth)) {
      return Refused(path, absl::StrCat("is more than ", limits_.max_depth, " directories deep"));
    }
    return components;
  }

  // The directory that `components` without the last one name; made where it is implied.
  absl::StatusOr<Place*> Parent(const std::vector<std::string>& components,
                                const std::string& path) {
    Place* place = &root_;
    for (size_t i = 0; i + 1 < components.size(); ++i) {
      auto [it, is_new] = place->children.try_emplace(components[i]);
      if (is_new) {
        MA_RETURN_IF_ERROR(Count(path));
        it->second.node.name = components[i];
        it->second.node.kind = Node::Kind::kDirectory;
        it->second.node.mode = kImpliedMode;
      } else if (it->second.node.kind != Node::Kind::kDirectory) {
        return Refused(path, absl::StrCat("is below ", QuotedPath(components[i]),
                                          ", which is no directory in the archive"));
      }
      place = &it->second;
    }
    return place;
  }

  absl::Status Count(const std::string& path) {
    if (++entries_ <= limits_.max_entries) return absl::OkStatus();
    return Refused(path, absl::StrCat("is one more than the ", limits_.max_entries,
                                      " entries that a context may have"));
  }

  absl::Status Take(const std::string& path, archive_entry* entry) {
    MA_ASSIGN_OR_RETURN(const std::vector<std::string> components, Components(path));
    const char* hard_link = archive_entry_hardlink(entry);
    const auto type = archive_entry_filetype(entry);
    const uint32_t mode = archive_entry_perm(entry) & 07777U;
    if (components.empty()) {
      if (type != AE_IFDIR || hard_link != nullptr) return Refused(path, "is no directory");
      root_.node.mode = mode;
      return absl::OkStatus();
    }
    MA_ASSIGN_OR_RETURN(Place * parent, Parent(components, path));
    const auto [it, is_new] = parent->children.try_emplace(components.back());
    Place& place = it->second;
    const bool directory = type == AE_IFDIR && hard_link == nullptr;
    if (is_new) {
      MA_RETURN_IF_ERROR(Count(path));
    } else if (!directory || place.node.kind != Node::Kind::kDirectory) {
      // A directory may: archives that were put together from parts have it so.
      return Refused(path, "comes twice");
    }
    place.node.name = components.back();
    place.node.mode = mode;
    if (hard_link != nullptr) return TakeHardLink(path, hard_link, place.node);
    switch (type) {
      case AE_IFDIR:
        place.node.kind = Node::Kind::kDirectory;
        return absl::OkStatus();
      case AE_IFLNK:
        return TakeSymlink(path, entry, place.node);
      case AE_IFREG:
        return TakeFile(path, entry, place.node);
      default:
        return Refused(path, absl::StrCat("is ",
                                          type == AE_IFIFO    ? "a named pipe"
                                          : type == AE_IFSOCK ? "a socket"
                                                              : "a device",
                                          ": only files, directories and links are taken"));
    }
  }

  absl::Status TakeSymlink(const std::string& path, archive_entry* entry, Node& node) const {
    const char* target = archive_entry_symlink(entry);
    node.kind = Node::Kind::kSymlink;
    if (target != nullptr) node.target = target;
    if (node.target.empty() || node.target.size() > kLongestTarget) {
      return Refused(path, "is a symbolic link whose target no system accepts");
    }
    return absl::OkStatus();
  }

  absl::Status TakeHardLink(const std::string& path, const std::string& target, Node& node) {
    const auto refused = [&](absl::string_view why) {
      return Refused(path, absl::StrCat("is a hard link to ", QuotedPath(target), ", ", why));
    };
    const absl::StatusOr<std::vector<std::string>> components = Components(target);
    if (!components.ok()) return refused("which leads out of the archive");
    const Place* place = &root_;
    for (const std::string& component : *components) {
      const auto it = place->children.find(component);
      if (it == place->children.end()) return refused("which is not before it in the archive");
      place = &it->second;
    }
    if (place->node.kind != Node::Kind::kFile || place->node.stored == nullptr) {
      return refused("which is no file");
    }
    MA_RETURN_IF_ERROR(Grow(path, place->node.stored->content.size));
    node.kind = Node::Kind::kFile;
    node.stored = place->node.stored;
    node.mode = place->node.mode;
    return absl::OkStatus();
  }

  absl::Status TakeFile(const std::string& path, archive_entry* entry, Node& node) {
    if (archive_entry_sparse_count(entry) > 0) {
      return Refused(path, "is a sparse file: make the archive without holes (no --sparse)");
    }
    if (archive_entry_size(entry) < 0) return Refused(path, "has a size that no file has");
    auto stored = std::make_shared<StoredContent>();
    stored->file = spool_;
    stored->offset = spooled_;
    ContentHasher hasher;
    std::vector<char> buffer(size_t{256} << 10);
    while (true) {
      const la_ssize_t n = archive_read_data(in_.get(), buffer.data(), buffer.size());
      if (n < 0) return Broken();
      if (n == 0) break;
      const absl::string_view bytes(buffer.data(), static_cast<size_t>(n));
      MA_RETURN_IF_ERROR(Grow(path, n));
      MA_RETURN_IF_ERROR(Annotate(WriteAll(out_.get(), bytes), absl::StrCat("writing ", spool_)));
      spooled_ += n;
      hasher.Add(bytes);
    }
    stored->content = hasher.Finish();
    if (stored->content.size != archive_entry_size(entry)) {
      return Refused(path, "ends before its size");
    }
    node.kind = Node::Kind::kFile;
    node.stored = std::move(stored);
    return absl::OkStatus();
  }

  absl::Status Grow(const std::string& path, int64_t bytes) {
    bytes_ += bytes;
    if (bytes_ > limits_.max_bytes) {
      return Refused(path, absl::StrCat("takes the context over ", limits_.max_bytes, " bytes"));
    }
    const int64_t read = std::max<int64_t>(1, archive_filter_bytes(in_.get(), -1));
    if (bytes_ > limits_.ratio_from && bytes_ / read > limits_.max_ratio) {
      return Refused(path, absl::StrCat("unpacks to more than ", limits_.max_ratio,
                                        " times what was read: this is no ordinary archive"));
    }
    return absl::OkStatus();
  }

  const std::string& spool_;
  const ArchiveLimits& limits_;
  const std::unique_ptr<archive, FreeArchive> in_{archive_read_new()};
  UniqueFd out_;
  Place root_;
  int64_t spooled_ = 0;
  int64_t bytes_ = 0;
  int64_t entries_ = 0;
};

}  // namespace

bool LooksLikeArchive(absl::string_view head) {
  for (const absl::string_view magic :
       {absl::string_view("\x1f\x8b"),
        absl::string_view("\xfd"
                          "7zXZ\0",
                          6),
        absl::string_view("\x28\xb5\x2f\xfd"), absl::string_view("BZh")}) {
    if (absl::StartsWith(head, magic)) return true;
  }
  return head.size() > 262 && head.substr(257, 5) == "ustar";
}

absl::StatusOr<Node> ReadArchive(int fd, absl::string_view head, const std::string& spool,
                                 const ArchiveLimits& limits) {
  Input input;
  input.fd = fd;
  input.head = head;
  return Reader(spool, limits).Read(input);
}

}  // namespace manyarch::cli
