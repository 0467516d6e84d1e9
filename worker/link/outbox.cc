#include "worker/link/outbox.h"

#include <algorithm>
#include <utility>

#include "spdlog/spdlog.h"

namespace manyarch::worker::link {

bool Outbox::Put(v1::WorkerMessage message) {
  absl::MutexLock lock(&mutex_);
  if (messages_.size() >= limits_.messages) return false;
  messages_.push_back(std::move(message));
  changed_.Signal();
  return true;
}

void Outbox::PutFinished(v1::Finished finished) {
  absl::MutexLock lock(&mutex_);
  const std::string id = finished.attempt_id();
  finished_[id] = std::move(finished);
  changed_.Signal();
}

void Outbox::StartLog(const std::string& attempt_id, std::shared_ptr<LogSpool> spool,
                      int64_t offset) {
  absl::MutexLock lock(&mutex_);
  Log log;
  log.spool = std::move(spool);
  log.sent = offset;
  log.acked = offset;
  logs_[attempt_id] = std::move(log);
  changed_.Signal();
}

void Outbox::AckLog(const std::string& attempt_id, int64_t offset, bool again) {
  absl::MutexLock lock(&mutex_);
  const auto it = logs_.find(attempt_id);
  if (it == logs_.end()) return;
  Log& log = it->second;
  // Behind what it had already: something is missing there, and is sent again. Ahead of what was
  // sent: it has more than we knew.
  log.sent = again || offset < log.acked ? offset : std::max(log.sent, offset);
  log.acked = offset;
  changed_.Signal();
}

void Outbox::Drop(const std::string& attempt_id) {
  absl::MutexLock lock(&mutex_);
  logs_.erase(attempt_id);
  finished_.erase(attempt_id);
}

void Outbox::Poke() {
  absl::MutexLock lock(&mutex_);
  changed_.Signal();
}

void Outbox::Close(bool flush) {
  absl::MutexLock lock(&mutex_);
  (flush ? flushing_ : closed_) = true;
  changed_.SignalAll();
}

std::optional<v1::WorkerMessage> Outbox::Next() {
  absl::MutexLock lock(&mutex_);
  while (!closed_) {
    if (auto message = Pop()) return message;
    if (flushing_) break;
    changed_.Wait(&mutex_);
  }
  return std::nullopt;
}

std::optional<v1::WorkerMessage> Outbox::Pop() {
  if (!messages_.empty()) {
    v1::WorkerMessage message = std::move(messages_.front());
    messages_.pop_front();
    return message;
  }
  if (auto message = PopFinished()) return message;
  return PopLog();
}

std::optional<v1::WorkerMessage> Outbox::PopFinished() {
  for (auto it = finished_.begin(); it != finished_.end(); ++it) {
    const auto log = logs_.find(it->first);
    if (log != logs_.end() && !log->second.broken && log->second.sent < log->second.spool->size()) {
      continue;
    }
    v1::WorkerMessage message;
    *message.mutable_finished() = std::move(it->second);
    // A log that broke off ends where it broke off; the result must not wait for what never comes.
    if (log != logs_.end() && log->second.sent < message.finished().log_size()) {
      message.mutable_finished()->set_log_size(log->second.sent);
    }
    finished_.erase(it);
    return message;
  }
  return std::nullopt;
}

std::optional<v1::WorkerMessage> Outbox::PopLog() {
  auto it = logs_.upper_bound(last_log_);
  for (size_t i = 0; i < logs_.size(); ++i, ++it) {
    if (it == logs_.end()) it = logs_.begin();
    Log& log = it->second;
    const int64_t room = limits_.window_bytes - (log.sent - log.acked);
    if (log.broken || room <= 0) continue;
    absl::StatusOr<std::string> bytes =
        log.spool->ReadAt(log.sent, std::min({room, limits_.chunk_bytes, log.piece}));
    if (!bytes.ok()) {
      spdlog::error("attempt {}: {}; the rest of its log is lost", it->first,
                    std::string(bytes.status().message()));
      log.broken = true;
      if (auto finished = PopFinished()) return finished;
      continue;
    }
    if (bytes->empty()) continue;
    v1::WorkerMessage message;
    v1::LogChunk& chunk = *message.mutable_log();
    chunk.set_attempt_id(it->first);
    chunk.set_offset(log.sent);
    log.sent += static_cast<int64_t>(bytes->size());
    log.piece = std::min(2 * log.piece, limits_.chunk_bytes);
    chunk.set_data(*std::move(bytes));
    last_log_ = it->first;
    return message;
  }
  return std::nullopt;
}

}  // namespace manyarch::worker::link
