// One image store of buildah, looked after.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "common/os/disk.h"
#include "worker/build/argv.h"

namespace manyarch::worker {

// Keeps a store free of working containers and within its size. One user at a time, and only while
// no attempt runs in the store.
class ImageStore {
 public:
  ImageStore(BuildahInfo buildah, std::string dir, int64_t limit_bytes, MinFree min_free);

  const StorePaths& paths() const { return paths_; }

  // Removes the working containers that a build which was killed has left. Where buildah cannot,
  // the store is given up: it is a cache.
  absl::Status RemoveContainers(const WorkPaths& work);

  // Removes cached layers when the store is over its limit or the disk nearly full; base images too
  // when that is not enough.
  absl::Status Prune(const WorkPaths& work);
  // The same until `wanted_free` bytes of the disk are free. Where buildah cannot (it writes, too),
  // the store is given up.
  absl::Status MakeRoom(const WorkPaths& work, int64_t wanted_free);

 private:
  absl::Status RunBuildah(const std::vector<std::string>& argv, const WorkPaths& work);
  bool HasContainers() const;
  bool TooBig() const;

  const BuildahInfo buildah_;
  const std::string dir_;
  const int64_t limit_bytes_;
  const MinFree min_free_;
  const StorePaths paths_;
};

// This process's environment.
std::map<std::string, std::string> OwnEnvironment();

}  // namespace manyarch::worker
