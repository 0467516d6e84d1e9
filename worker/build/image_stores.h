// buildah's image stores on this worker, looked after.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "common/os/disk.h"
#include "common/os/stop_token.h"
#include "worker/build/argv.h"
#include "worker/build/store_contents.h"

namespace manyarch::worker {

// The stores <state_dir>/slots/<slot>/<platform>: kept free of working containers, and together
// within their limit by giving up, over all of them, the images used longest ago. A store is in use
// while an attempt runs in it: then nothing of it is given up. Thread-safe.
class ImageStores {
 public:
  ImageStores(BuildahInfo buildah, const std::string& state_dir, int64_t limit_bytes,
              MinFree min_free);

  // Holds a store for an attempt; another attempt's, or the removal of its oldest images, is waited
  // for unless `stop` is given. `on_wait` is called once where that takes longer than a second.
  class Use {
   public:
    Use(ImageStores* stores, int slot, const v1::Platform& platform, const StopToken& stop,
        const std::function<void()>& on_wait);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

    // False where it was stopped.
    bool ok() const { return taken_; }
    const StorePaths& paths() const { return paths_; }
    // Removes the working containers that a build which was killed has left. Where buildah cannot,
    // the store is given up: it is a cache.
    absl::Status RemoveContainers(const WorkPaths& work) const;

   private:
    ImageStores* const stores_;
    const std::string dir_;
    const StorePaths paths_;
    const bool taken_;
  };

  // Removes working containers everywhere. To be called before the first Use.
  absl::Status RemoveAllContainers();

  // Where the stores are over their limit, to a tenth below it; where the disk is nearly full,
  // until it is not. Nothing where another thread is at it. `stop` ends it after a few images, or
  // one store that goes as a whole, but not before: who never has time to prune would never do so.
  // So does an attempt that waits for a store. What is cut short, the next one does.
  absl::Status Prune(const StopToken& stop);
  // Until `wanted_free` bytes of the disk are free, nothing is left to give up or `stop` is given.
  // Where buildah cannot (it writes, too), the store is given up.
  absl::Status MakeRoom(int64_t wanted_free, const StopToken& stop) ABSL_NO_THREAD_SAFETY_ANALYSIS;

 private:
  class Claim;
  class Workplace;

  std::vector<std::string> Directories() const;
  absl::Status RunBuildah(const std::vector<std::string>& argv, const WorkPaths& work) const;
  absl::Status RemoveContainers(const std::string& dir, const WorkPaths& work) const;
  // More than nothing where something has to go; `stores` are all there are.
  int64_t Excess(const std::vector<StoreContents>& stores) const;
  // Of one store: images, a few at a time until it is `enough`, or all of it where there is one
  // without an id. OK where they are gone afterwards, and where it was enough.
  absl::Status Remove(const std::string& dir, const std::vector<std::string>& ids,
                      const std::function<bool()>& enough) const;
  bool Take(const std::string& dir, const StopToken& stop, const std::function<void()>& on_wait);
  bool TryTake(const std::string& dir);
  bool SomebodyWaits();
  void Release(const std::string& dir);

  const BuildahInfo buildah_;
  const std::string directory_;
  const WorkPaths work_;  // Of buildahs that run for no attempt.
  const int64_t limit_bytes_;
  const MinFree min_free_;

  absl::Mutex pruning_;  // One thread chooses and removes at a time.
  absl::Mutex mutex_;
  absl::CondVar released_;
  std::set<std::string> taken_ ABSL_GUARDED_BY(mutex_);  // Stores in use.
  int waiting_ ABSL_GUARDED_BY(mutex_) = 0;              // Attempts, for one of those.
};

// This process's environment.
std::map<std::string, std::string> OwnEnvironment();

}  // namespace manyarch::worker
