#pragma once

#include <cstddef>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace manyarch::registry {

// Bytes on their way from one thread, which writes, to one that reads; at most `capacity` of them
// wait. Each end is closed by its owner, which wakes the other. Thread-safe.
class BlobPipe {
 public:
  explicit BlobPipe(size_t capacity) : capacity_(capacity) {}

  // Waits for room. CANCELLED: nobody reads any more.
  absl::Status Write(absl::string_view bytes) ABSL_LOCKS_EXCLUDED(mutex_);
  // OK: that was all. Else the reader gets this error behind what was written.
  void CloseWriter(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits for something to read, or for the writer's end, and returns that status.
  absl::Status AwaitFirst() ABSL_LOCKS_EXCLUDED(mutex_);
  // At most `size` bytes, at least one; 0 behind the last one.
  absl::StatusOr<size_t> Read(char* buffer, size_t size) ABSL_LOCKS_EXCLUDED(mutex_);
  void CloseReader() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  bool MayWrite() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return reader_gone_ || bytes_.size() - read_ < capacity_;
  }
  bool MayRead() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return ended_ || read_ < bytes_.size();
  }

  const size_t capacity_;
  absl::Mutex mutex_;
  std::string bytes_ ABSL_GUARDED_BY(mutex_);
  size_t read_ ABSL_GUARDED_BY(mutex_) = 0;  // Of bytes_.
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool reader_gone_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::registry
