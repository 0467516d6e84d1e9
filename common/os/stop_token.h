// A request to stop, made once, seen by whoever polls, waits, or watches a file descriptor.
#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace manyarch {

// One-way switch from "go on" to "stop", with the reason. Lives as long as all who look at it.
// Thread-safe.
class StopToken {
 public:
  StopToken();
  ~StopToken();
  StopToken(const StopToken&) = delete;
  StopToken& operator=(const StopToken&) = delete;

  // The first reason stays; further calls do nothing.
  void Stop(std::string reason);
  bool stopped() const;
  // Empty while not stopped.
  std::string reason() const;
  // Waits until stopped or `timeout` has passed; true when stopped.
  bool WaitFor(absl::Duration timeout) const;
  // Readable (POLLIN) from the moment of Stop on. Owned by the token; -1 where the system gave
  // none.
  int fd() const { return fd_; }

 private:
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::string reason_ ABSL_GUARDED_BY(mutex_);
  int fd_ = -1;
};

}  // namespace manyarch
