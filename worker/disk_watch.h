// Sees to it that the disk does not run full with what this worker does.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/os/disk.h"
#include "common/os/stop_token.h"

namespace manyarch::worker {

// Looks at the disk when it is made and every few seconds after, in a thread of its own, until it
// is deleted. Below the mark, caches are given up; where that is not enough, the worker is told to
// take nothing new until there is room again, with a margin, so that it does not go back and forth.
class DiskWatch {
 public:
  struct Ports {
    std::function<absl::StatusOr<DiskSpace>()> look;
    std::function<void(int64_t wanted_free, const StopToken& stop)> make_room;
    std::function<void(std::string why)> tell;  // Why nothing can be taken; empty: it can again.
  };

  DiskWatch(MinFree min_free, Ports ports, absl::Duration interval = absl::Seconds(2));
  ~DiskWatch();
  DiskWatch(const DiskWatch&) = delete;
  DiskWatch& operator=(const DiskWatch&) = delete;

 private:
  void Look();

  const MinFree min_free_;
  const Ports ports_;
  const absl::Duration interval_;
  bool low_ = false;
  int looks_ = 0;  // Since room was last made.
  StopToken stop_;
  std::thread thread_;
};

}  // namespace manyarch::worker
