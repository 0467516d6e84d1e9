// The log of one attempt on the worker's disk, between the build that writes it and the controller.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "common/os/files.h"

namespace manyarch::worker::link {

// A file that grows at its end and is freed at its beginning; offsets count from the first byte
// ever and have no holes. Where the build writes faster than the controller takes for too long,
// bytes are dropped, and a line in the log says how many. Thread-safe.
class LogSpool {
 public:
  static constexpr int64_t kDefaultLimit = int64_t{64} << 20;

  // Opens or makes the file; what it holds already, from before a restart, is part of the log.
  // `limit` bounds the bytes that the controller does not have.
  static absl::StatusOr<std::shared_ptr<LogSpool>> Open(const std::string& path,
                                                        int64_t limit = kDefaultLimit);

  // Never blocks on the controller, and never fails: what cannot be kept is counted as dropped.
  void Append(absl::string_view bytes);
  // Nothing is appended afterwards: writes what must be said of dropped bytes, makes the log
  // durable and returns its size.
  int64_t Seal();
  int64_t size() const;
  // Up to `max` bytes from `offset` on; fewer at the end, none past it.
  absl::StatusOr<std::string> ReadAt(int64_t offset, int64_t max) const;
  // The controller has everything before `offset`: the disk space is given back.
  void Acked(int64_t offset);

 private:
  LogSpool(UniqueFd fd, int64_t size, int64_t limit)
      : fd_(std::move(fd)), limit_(limit), size_(size) {}

  void WriteGapMarker() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Write(absl::string_view bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const UniqueFd fd_;
  const int64_t limit_;
  mutable absl::Mutex mutex_;
  int64_t size_ ABSL_GUARDED_BY(mutex_);
  int64_t acked_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t dropped_ ABSL_GUARDED_BY(mutex_) = 0;  // Not yet said in the log.
};

}  // namespace manyarch::worker::link
