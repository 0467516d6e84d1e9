// Attempt logs: one file each, appended by offset, read at any offset, followed.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace manyarch::controller {

// Thread-safe. A log is contiguous: a piece that would leave a hole is not taken, and what of a
// piece is there already is skipped. Syncs are shared: one thread makes everything durable that was
// appended since it last did, and tells how far each log has come.
class LogStore {
 public:
  // Called on the syncing thread: `size` bytes of the attempt's log are durable.
  using OnDurable = std::function<void(const std::string& attempt_id, int64_t size)>;

  // `directory` must exist. `clock` tells when pieces arrive.
  LogStore(
      std::string directory, OnDurable on_durable,
      std::function<absl::Time()> clock = [] { return absl::Now(); });
  ~LogStore();
  LogStore(const LogStore&) = delete;
  LogStore& operator=(const LogStore&) = delete;

  // The size afterwards; less than `offset` where something before the piece is missing.
  absl::StatusOr<int64_t> Append(const std::string& attempt_id, int64_t offset,
                                 absl::string_view data);
  // 0 where there is no such log.
  int64_t Size(const std::string& attempt_id);
  // Returns once all that was appended is durable.
  absl::Status Sync(const std::string& attempt_id);
  // At most `limit` bytes; empty at the present end, and where there is no such log.
  absl::StatusOr<std::string> Read(const std::string& attempt_id, int64_t offset, size_t limit);
  // Where the last `lines` lines begin, as the log is now.
  absl::StatusOr<int64_t> OffsetOfTail(const std::string& attempt_id, int64_t lines);
  // Where the line begins that was the first to get something in the second of `since` or later;
  // the end where none has.
  absl::StatusOr<int64_t> OffsetSince(const std::string& attempt_id, absl::Time since);
  // Returns when the log is longer than `offset`, or has come to its End where `knows_end` is
  // false, at the latest at the deadline.
  void AwaitMore(const std::string& attempt_id, int64_t offset, bool knows_end,
                 absl::Time deadline);
  // Wakes who waits for more: the attempt has finished. Pieces may come nevertheless, from a worker
  // that was cut off.
  void End(const std::string& attempt_id);

 private:
  struct Log;
  // Of the file that has the times of the log at `path`.
  static std::string TimesOf(const std::string& path);
  absl::StatusOr<std::string> PathOf(const std::string& attempt_id) const;
  absl::StatusOr<std::shared_ptr<Log>> Find(const std::string& attempt_id, bool create);
  absl::Status SyncLog(const std::string& attempt_id, Log& log, int64_t* durable);
  void RunSyncer();

  const std::string directory_;
  const OnDurable on_durable_;
  const std::function<absl::Time()> clock_;

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<Log>> open_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> dirty_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread syncer_;
};

}  // namespace manyarch::controller
