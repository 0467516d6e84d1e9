// Sees to it that contexts do not fill the disk.
#pragma once

#include <functional>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/disk.h"
#include "common/os/stop_token.h"
#include "controller/content/content_store.h"
#include "controller/store/store.h"

namespace manyarch::controller {

// Sweeps the content store in a thread of its own, until deleted: when the controller starts, and
// whenever there is more than the limit or the disk is nearly full.
class ContentKeeper {
 public:
  struct Limits {
    MinFree content;   // At most so much, of the size of the store's disk.
    MinFree min_free;  // As much is to stay free of the disk.
  };

  // Both stores must outlive it. `directory` is on the content's disk.
  ContentKeeper(std::string directory, Limits limits, ContentStore* content, Store* jobs,
                absl::Duration interval = absl::Minutes(1));
  ~ContentKeeper();
  ContentKeeper(const ContentKeeper&) = delete;
  ContentKeeper& operator=(const ContentKeeper&) = delete;

 private:
  void Look();

  const std::string directory_;
  const Limits limits_;
  ContentStore* const content_;
  Store* const jobs_;
  int looks_to_skip_ = 0;  // Where the last sweep found nothing to remove.
  StopToken stop_;
  std::thread thread_;
};

// All that the live jobs' builds read: roots of contexts, and Containerfiles beside them.
absl::StatusOr<std::vector<Digest>> LiveContent(Store& jobs);

}  // namespace manyarch::controller
