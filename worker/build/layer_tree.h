// The files of an image, read where its layers lie in an image store.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/os/files.h"

namespace manyarch::worker {

// Layers as overlayfs keeps them, laid over each other without a mount: whiteouts and opaque
// directories hide what is below. What an image says is not trusted: its links are followed within
// the image only. Nobody may change the layers meanwhile. Thread-compatible.
class LayerTree {
 public:
  // `dirs`: the layers' directories, the topmost first.
  static absl::StatusOr<LayerTree> Open(const std::vector<std::string>& dirs);

  struct Entry {
    size_t layer = 0;  // Index into `dirs`.
    std::string path;  // "usr/bin/app": links resolved, but for the last part in Look().
    struct stat info = {};
  };
  // The topmost entry of this path, which has no links, "." or ".." in it; a link is not followed.
  std::optional<Entry> Look(absl::string_view path) const;
  // What `path` leads to, through links, from the image's root.
  std::optional<Entry> Find(absl::string_view path) const;
  // The first bytes of a regular file, at most `limit`; empty where it cannot be read.
  std::string Head(const Entry& entry, size_t limit) const;

  // The first errno for which an entry may have been missed; 0: none was.
  int error() const { return error_; }

 private:
  explicit LayerTree(std::vector<UniqueFd> layers) : layers_(std::move(layers)) {}

  std::vector<UniqueFd> layers_;
  mutable int error_ = 0;
};

}  // namespace manyarch::worker
