// What a session has still to say, and in which order.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "manyarch/v1/worker.pb.h"
#include "worker/link/log_spool.h"

namespace manyarch::worker::link {

// Filled by the agent's loop, emptied by the session's writer. Short messages first, then the
// results whose logs are out, then logs, a chunk of each attempt in turn. Logs are read from their
// spools as they are sent, so what waits here is small. Thread-safe; lives as long as one session.
class Outbox {
 public:
  struct Limits {
    size_t messages = 4096;
    // The first piece is small and each is twice the one before, to this: a connection that breaks
    // often still gets something through.
    int64_t chunk_bytes = 256 << 10;
    // Of one log, sent and not acknowledged: what the controller syncs at a time at full speed.
    int64_t window_bytes = 8 << 20;
  };

  Outbox() : Outbox(Limits()) {}
  explicit Outbox(Limits limits) : limits_(limits) {}

  // False when it is full: the session is of no use any more.
  bool Put(v1::WorkerMessage message);
  // To be sent when this outbox has sent all of the attempt's log, which is sealed; at once where
  // it sends no log of this attempt. Repeats replace one that waits.
  void PutFinished(v1::Finished finished);
  // Sends the log from `offset` on. Starting it again moves it to the new offset.
  void StartLog(const std::string& attempt_id, std::shared_ptr<LogSpool> spool, int64_t offset);
  // An acknowledgement that goes back makes the log go back too; with `again`, to where it stands.
  void AckLog(const std::string& attempt_id, int64_t offset, bool again = false);
  // The attempt is forgotten: nothing more of it is sent.
  void Drop(const std::string& attempt_id);
  // Logs may have grown.
  void Poke();

  // Next returns nothing from now on; with `flush`, only once all is sent that can be sent.
  void Close(bool flush);
  // The next message; waits for it.
  std::optional<v1::WorkerMessage> Next();

 private:
  static constexpr int64_t kFirstPiece = 32 << 10;
  struct Log {
    std::shared_ptr<LogSpool> spool;
    int64_t sent = 0;
    int64_t acked = 0;
    int64_t piece = kFirstPiece;
    bool broken = false;  // It cannot be read on: the result goes without the rest.
  };

  std::optional<v1::WorkerMessage> Pop() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<v1::WorkerMessage> PopFinished() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<v1::WorkerMessage> PopLog() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Limits limits_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<v1::WorkerMessage> messages_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, v1::Finished> finished_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Log> logs_ ABSL_GUARDED_BY(mutex_);
  std::string last_log_ ABSL_GUARDED_BY(mutex_);  // Whose turn it was.
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  bool flushing_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace manyarch::worker::link
