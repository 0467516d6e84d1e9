// Notices when this machine begins or ceases to run a platform.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::worker {

// Looks every hour, and when told to, in a thread of its own, until it is deleted. Tells only what
// is different from what was known before. Thread-safe.
class PlatformWatch {
 public:
  struct Ports {
    std::function<absl::StatusOr<v1::WorkerDescription>()> look;
    std::function<void(const v1::WorkerDescription&)> tell;
  };

  PlatformWatch(Ports ports, v1::WorkerDescription known, absl::Duration interval = absl::Hours(1));
  ~PlatformWatch();
  PlatformWatch(const PlatformWatch&) = delete;
  PlatformWatch& operator=(const PlatformWatch&) = delete;

  // Does not wait for the outcome.
  void LookNow() ABSL_LOCKS_EXCLUDED(mutex_);
  // Returns when it has looked, and told what was different; before this object goes.
  void LookNowAndWait() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Look();

  const Ports ports_;
  const absl::Duration interval_;
  v1::WorkerDescription known_;  // The thread's alone.
  absl::Mutex mutex_;
  absl::CondVar wake_;
  absl::CondVar answered_;
  int64_t asked_ ABSL_GUARDED_BY(mutex_) = 0;  // Times; and how many of them are done.
  int64_t done_ ABSL_GUARDED_BY(mutex_) = 0;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace manyarch::worker
