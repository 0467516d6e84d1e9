// buildah's image stores on this worker, looked after.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/os/disk.h"
#include "worker/build/argv.h"
#include "worker/build/store_contents.h"

namespace manyarch::worker {

// The stores <directory>/<slot>/<platform>: kept free of working containers, and together within
// their limit by giving up, over all of them, the images used longest ago. A store is in use while
// an attempt runs in it: then nothing of it is given up. Thread-safe.
class ImageStores {
 public:
  ImageStores(BuildahInfo buildah, std::string directory, int64_t limit_bytes, MinFree min_free);

  // Holds a store for an attempt; another attempt's, or the removal of its oldest images, is waited
  // for.
  class Use {
   public:
    Use(ImageStores* stores, int slot, const v1::Platform& platform);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    const StorePaths& paths() const { return paths_; }
    // Removes the working containers that a build which was killed has left. Where buildah cannot,
    // the store is given up: it is a cache.
    absl::Status RemoveContainers(const WorkPaths& work) const;

   private:
    ImageStores* const stores_;
    const std::string dir_;
    const StorePaths paths_;
  };

  // Removes working containers everywhere. To be called before the first Use.
  absl::Status RemoveAllContainers(const WorkPaths& work);

  // Where the stores are over their limit, to a tenth below it; where the disk is nearly full,
  // until it is not.
  absl::Status Prune(const WorkPaths& work);
  // Until `wanted_free` bytes of the disk are free or nothing is left to give up. Where buildah
  // cannot (it writes, too), the store is given up.
  absl::Status MakeRoom(const WorkPaths& work, int64_t wanted_free);

 private:
  class Claim;

  std::vector<std::string> Directories() const;
  absl::Status RunBuildah(const std::vector<std::string>& argv, const WorkPaths& work) const;
  absl::Status RemoveContainers(const std::string& dir, const WorkPaths& work) const;
  // More than nothing where something has to go; `stores` are all there are.
  int64_t Excess(const std::vector<StoreContents>& stores) const;
  // OK where all of these images are gone afterwards.
  absl::Status RemoveImages(const std::string& dir, const std::vector<std::string>& ids,
                            const WorkPaths& work) const;
  void Take(const std::string& dir);
  bool TryTake(const std::string& dir);
  void Release(const std::string& dir);

  const BuildahInfo buildah_;
  const std::string directory_;
  const int64_t limit_bytes_;
  const MinFree min_free_;

  absl::Mutex pruning_;  // One thread chooses and removes at a time.
  absl::Mutex mutex_;
  absl::CondVar released_;
  std::set<std::string> taken_ ABSL_GUARDED_BY(mutex_);  // Stores in use.
};

// This process's environment.
std::map<std::string, std::string> OwnEnvironment();

}  // namespace manyarch::worker
