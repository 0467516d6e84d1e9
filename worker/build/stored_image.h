// What an image store has on disk of one image.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace manyarch::worker {

// An image as buildah has left it in its store.
struct StoredImage {
  // The directories of its layers, the topmost first. Where the storage driver keeps whole trees
  // (vfs), only the topmost one's.
  std::vector<std::string> layers;
  // How many of them, from the top, this build has put on its base.
  size_t new_layers = 0;
  // With vfs: the tree of the base; empty where there is none.
  std::string base_tree;

  // From its configuration.
  std::vector<std::string> entrypoint;
  std::vector<std::string> cmd;
  std::string path;  // The environment variable PATH.
  std::string working_dir;
};

// Reads files only: nothing is mounted or locked, so nothing can be left behind. The base is told
// by its name: what a build commits has none. Images named after `cache_repositories` are layers of
// earlier builds, not bases. UNIMPLEMENTED where the store's driver is neither overlay nor vfs.
absl::StatusOr<StoredImage> ReadStoredImage(const std::string& store_root,
                                            const std::string& image_id,
                                            const std::vector<std::string>& cache_repositories);

}  // namespace manyarch::worker
