// What worker sessions do with logs: taken up to where they are whole, asked for again where they
// are not, acknowledged once they are durable.
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "controller/rpc/worker_sessions.h"
#include "controller/wire/convert.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller::rpc {

namespace {

// A log in full flow says no more than this often that its worker lives.
constexpr absl::Duration kLogLifeSign = absl::Seconds(1);

}  // namespace

bool WorkerSessions::MaySendLog(uint64_t stream, const std::string& attempt_id) {
  absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(stream);
  if (it == sessions_.end() || !it->second.admitted || !it->second.attempts.contains(attempt_id)) {
    return false;
  }
  log_senders_[attempt_id] = stream;
  return true;
}

void WorkerSessions::HeardLog(uint64_t stream) {
  {
    absl::MutexLock lock(&mutex_);
    const auto it = sessions_.find(stream);
    const absl::Time now = absl::Now();
    if (it == sessions_.end() || now < it->second.heard + kLogLifeSign) return;
    it->second.heard = now;
  }
  events_->Post(core::WorkerHeard{stream});
}

void WorkerSessions::OnLog(uint64_t stream, const v1::LogChunk& chunk) {
  if (!MaySendLog(stream, chunk.attempt_id())) {
    Close(stream,
          absl::InvalidArgumentError(absl::StrCat("a log of ", chunk.attempt_id(),
                                                  " was sent, which this worker does not run")));
    return;
  }
  const absl::StatusOr<int64_t> size =
      logs_->Append(chunk.attempt_id(), chunk.offset(), chunk.data());
  HeardLog(stream);
  if (absl::IsInvalidArgument(size.status())) {
    Close(stream, size.status());
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (size.ok() && *size >= chunk.offset()) {
      if (gaps_.erase(chunk.attempt_id()) > 0) {
        spdlog::info("log of {}: goes on at {}", chunk.attempt_id(), *size);
      }
      return;
    }
    // What is in flight behind a gap comes to nothing either: once is enough to say so.
    if (!gaps_.insert(chunk.attempt_id()).second) return;
  }
  if (!size.ok()) {
    // The worker keeps it. It is asked for it again with each heartbeat, so that a full disk is not
    // tried all the time.
    spdlog::error("log of {}: {}", chunk.attempt_id(), std::string(size.status().message()));
    return;
  }
  AskForLogAgain(chunk.attempt_id(), *size);
}

void WorkerSessions::AskForLogsAgain(uint64_t stream) {
  std::vector<std::string> wanted;
  {
    absl::MutexLock lock(&mutex_);
    for (const std::string& attempt_id : gaps_) {
      const auto sender = log_senders_.find(attempt_id);
      if (sender != log_senders_.end() && sender->second == stream) wanted.push_back(attempt_id);
    }
  }
  for (const std::string& attempt_id : wanted) AskForLogAgain(attempt_id, logs_->Size(attempt_id));
}

void WorkerSessions::AskForLogAgain(const std::string& attempt_id, int64_t size) {
  SendLogAck(attempt_id, size, /*again=*/true);
}

void WorkerSessions::AcknowledgeLog(const std::string& attempt_id, int64_t size) {
  SendLogAck(attempt_id, size, /*again=*/false);
}

void WorkerSessions::SendLogAck(const std::string& attempt_id, int64_t size, bool again) {
  v1::ControllerMessage message;
  v1::LogAck& ack = *message.mutable_log_ack();
  ack.set_attempt_id(attempt_id);
  ack.set_offset(size);
  ack.set_again(again);
  absl::MutexLock lock(&mutex_);
  const auto sender = log_senders_.find(attempt_id);
  if (sender == log_senders_.end()) return;
  const auto session = sessions_.find(sender->second);
  if (session != sessions_.end()) session->second.stream->Send(std::move(message));
}

void WorkerSessions::OnFinished(uint64_t stream, const v1::Finished& finished) {
  // The worker forgets the log once this is acknowledged. With `again` it repeats the result too.
  const absl::Status synced = logs_->Sync(finished.attempt_id());
  const bool whole = synced.ok() && logs_->Size(finished.attempt_id()) >= finished.log_size();
  {
    absl::MutexLock lock(&mutex_);
    if (!whole) {
      log_senders_[finished.attempt_id()] = stream;
      gaps_.insert(finished.attempt_id());
      return;
    }
    log_senders_.erase(finished.attempt_id());
    gaps_.erase(finished.attempt_id());
  }
  events_->Post(core::AttemptFinished{stream, wire::FromProto(finished)});
}

}  // namespace manyarch::controller::rpc
