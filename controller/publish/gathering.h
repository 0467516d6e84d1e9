#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"

namespace manyarch::controller::publish {

// Several parts of one piece of work, done on different threads: the last one goes on with the
// first error of all. Shared by the parts. Thread-safe.
class Gathering {
 public:
  Gathering(size_t parts, std::function<void(absl::Status)> then)
      : left_(parts), then_(std::move(then)) {}

  // To be called once for each part. A part that was interrupted is never done: then nothing
  // follows.
  void Done(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      error_.Update(std::move(status));
      if (--left_ > 0) return;
      status = error_;
    }
    then_(std::move(status));
  }

 private:
  absl::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  absl::Status error_ ABSL_GUARDED_BY(mutex_);
  const std::function<void(absl::Status)> then_;
};

}  // namespace manyarch::controller::publish
