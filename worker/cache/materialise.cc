#include "worker/cache/materialise.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <memory>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/beneath.h"
#include "common/os/files.h"
#include "worker/cache/tree.h"

namespace manyarch::worker {

namespace {

constexpr timespec kTimes[2] = {{kTreeTime, 0}, {kTreeTime, 0}};

// The blob, from the cache or fetched; once more where the cache lost it in between.
absl::StatusOr<std::string> Blob(const Digest& digest, ContentCache& cache, ContentSource& source,
                                 const StopToken& stop) {
  absl::StatusOr<std::string> bytes = cache.Get(digest);
  if (bytes.ok() || !absl::IsNotFound(bytes.status())) return bytes;
  MA_RETURN_IF_ERROR(cache.Ensure({digest}, source, stop));
  return cache.Get(digest);
}

// Breadth first, so that each level's directories are fetched together: parses all of the tree and
// counts it against the limits before anything is written.
class Plan {
 public:
  Plan(ContentCache& cache, ContentSource& source, const StopToken& stop, const TreeLimits& limits)
      : cache_(cache), source_(source), stop_(stop), limits_(limits), pin_(&cache) {}

  absl::Status Load(const Digest& root) {
    struct Pending {
      Digest digest;
      std::string path;
    };
    std::vector<Pending> level = {{root, ""}};
    for (int depth = 0; !level.empty(); ++depth) {
      if (depth > limits_.max_depth) {
        return absl::InvalidArgumentError(
            absl::StrCat("the context is not acceptable: '", ShownPath(level.front().path, ""),
                         "' is more than ", limits_.max_depth, " directories deep"));
      }
      std::vector<Digest> wanted;
      for (const Pending& p : level) wanted.push_back(p.digest);
      pin_.Add(wanted);
      MA_RETURN_IF_ERROR(cache_.Ensure(wanted, source_, stop_));
      std::vector<Pending> next;
      for (const Pending& p : level) {
        // Equal directories are parsed once; their entries count every time they appear.
        std::shared_ptr<const TreeNode>& node = nodes_[p.digest];
        if (node == nullptr) {
          MA_ASSIGN_OR_RETURN(const std::string bytes, Blob(p.digest, cache_, source_, stop_));
          MA_ASSIGN_OR_RETURN(TreeNode parsed, ParseDirectory(bytes, p.path));
          node = std::make_shared<const TreeNode>(std::move(parsed));
          for (const TreeFile& file : node->files) {
            chunks_.insert(chunks_.end(), file.chunks.begin(), file.chunks.end());
          }
        }
        MA_RETURN_IF_ERROR(Count(*node, p.path));
        for (const TreeDirectory& d : node->directories) {
          next.push_back({d.digest, p.path.empty() ? d.name : absl::StrCat(p.path, "/", d.name)});
        }
      }
      level = std::move(next);
    }
    pin_.Add(chunks_);
    return cache_.Ensure(chunks_, source_, stop_);
  }

  const TreeNode& node(const Digest& digest) const { return *nodes_.at(digest); }

 private:
  absl::Status Count(const TreeNode& node, absl::string_view path) {
    entries_ +=
        static_cast<int64_t>(node.files.size() + node.directories.size() + node.links.size());
    if (entries_ > limits_.max_entries) {
      return absl::InvalidArgumentError(
          absl::StrCat("the context is not acceptable: it has over ", limits_.max_entries,
                       " entries, counted up to '", ShownPath(path, ""), "'"));
    }
    for (const TreeFile& file : node.files) {
      if (file.size > limits_.max_bytes - bytes_) {
        return absl::InvalidArgumentError(
            absl::StrCat("the context is not acceptable: it has over ", limits_.max_bytes,
                         " bytes, counted up to '", ShownPath(path, file.name), "'"));
      }
      bytes_ += file.size;
    }
    return absl::OkStatus();
  }

  ContentCache& cache_;
  ContentSource& source_;
  const StopToken& stop_;
  const TreeLimits& limits_;
  ContentCache::Pin pin_;  // Until all of the tree is written.
  absl::flat_hash_map<Digest, std::shared_ptr<const TreeNode>> nodes_;
  std::vector<Digest> chunks_;
  int64_t entries_ = 0;
  int64_t bytes_ = 0;
};

// Writes the tree below one directory descriptor. Every name is a single component that is newly
// made there (O_EXCL, no link followed) and opened beneath it, so nothing can lead outside.
class TreeWriter {
 public:
  TreeWriter(const Plan& plan, ContentCache& cache, ContentSource& source, const StopToken& stop)
      : plan_(plan), cache_(cache), source_(source), stop_(stop) {}

  absl::Status Directory(int fd, const Digest& digest, const std::string& path) {
    if (stop_.stopped()) return absl::CancelledError("writing the context: stopped");
    const TreeNode& node = plan_.node(digest);
    for (const TreeFile& file : node.files) MA_RETURN_IF_ERROR(File(fd, file, path));
    for (const TreeLink& link : node.links) {
      if (symlinkat(link.target.c_str(), fd, link.name.c_str()) != 0 ||
          utimensat(fd, link.name.c_str(), kTimes, AT_SYMLINK_NOFOLLOW) != 0) {
        return Failed("making the link", path, link.name);
      }
    }
    for (const TreeDirectory& d : node.directories) {
      if (mkdirat(fd, d.name.c_str(), 0700) != 0) return Failed("making", path, d.name);
      UniqueFd child(OpenBeneath(fd, d.name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
      if (!child.ok()) return Failed("opening", path, d.name);
      MA_RETURN_IF_ERROR(Directory(child.get(), d.digest,
                                   path.empty() ? d.name : absl::StrCat(path, "/", d.name)));
    }
    // Last: both change as entries are made.
    if (fchmod(fd, node.mode) != 0 || futimens(fd, kTimes) != 0) {
      return Failed("setting mode and time of", path, "");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status File(int dir, const TreeFile& file, const std::string& path) {
    UniqueFd fd(OpenBeneath(dir, file.name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0600));
    if (!fd.ok()) return Failed("making", path, file.name);
    int64_t left = file.size;
    for (const Digest& chunk : file.chunks) {
      if (stop_.stopped()) return absl::CancelledError("writing the context: stopped");
      MA_ASSIGN_OR_RETURN(const std::string bytes, Blob(chunk, cache_, source_, stop_));
      left -= static_cast<int64_t>(bytes.size());
      if (left < 0) break;
      MA_RETURN_IF_ERROR(
          Annotate(WriteAll(fd.get(), bytes),
                   absl::StrCat("writing the context's ", ShownPath(path, file.name))));
    }
    if (left != 0) {
      return absl::InvalidArgumentError(absl::StrCat("the context is not acceptable: '",
                                                     ShownPath(path, file.name),
                                                     "' has a size that does not fit its chunks"));
    }
    if (fchmod(fd.get(), file.mode) != 0 || futimens(fd.get(), kTimes) != 0) {
      return Failed("setting mode and time of", path, file.name);
    }
    return absl::OkStatus();
  }

  static absl::Status Failed(absl::string_view what, absl::string_view dir,
                             absl::string_view name) {
    return absl::ErrnoToStatus(errno, absl::StrCat(what, " the context's ", ShownPath(dir, name)));
  }

  const Plan& plan_;
  ContentCache& cache_;
  ContentSource& source_;
  const StopToken& stop_;
};

}  // namespace

absl::Status Materialise(const Digest& root, const std::string& target, ContentCache& cache,
                         ContentSource& source, const StopToken& stop, const TreeLimits& limits) {
  Plan plan(cache, source, stop, limits);
  MA_RETURN_IF_ERROR(Annotate(plan.Load(root), "fetching the context"));
  UniqueFd fd(open(target.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!fd.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", target));
  return TreeWriter(plan, cache, source, stop).Directory(fd.get(), root, "");
}

}  // namespace manyarch::worker
