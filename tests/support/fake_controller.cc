#include "tests/support/fake_controller.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server_builder.h"

namespace manyarch {

struct FakeController::Stream {
  grpc::ServerContext* context;
  grpc::ServerReaderWriter<v1::ControllerMessage, v1::WorkerMessage>* stream;
  absl::Mutex writing;
  int number = 0;  // Of its Hello; only the newest counts.
  int64_t log_bytes = 0;

  void Send(const v1::ControllerMessage& message) {
    absl::MutexLock lock(&writing);
    stream->Write(message);
  }
};

FakeController::FakeController(Manners manners, int port) : manners_(std::move(manners)) {
  grpc::ServerBuilder builder;
  builder.AddListeningPort(absl::StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(),
                           &port_);
  builder.RegisterService(this);
  server_ = builder.BuildAndStart();
}

FakeController::~FakeController() {
  CutSession();
  if (server_ != nullptr) server_->Shutdown(std::chrono::system_clock::now());
}

std::string FakeController::address() const { return absl::StrCat("127.0.0.1:", port_); }

void FakeController::SetManners(Manners manners) {
  absl::MutexLock lock(&mutex_);
  manners_ = std::move(manners);
}

void FakeController::SendToAll(const v1::ControllerMessage& message) {
  absl::MutexLock lock(&mutex_);
  for (Stream* stream : streams_) stream->Send(message);
}

void FakeController::Offer(const v1::Offer& offer) {
  v1::ControllerMessage message;
  *message.mutable_offer() = offer;
  SendToAll(message);
}

void FakeController::Abandon(const std::string& attempt_id, const std::string& reason) {
  v1::ControllerMessage message;
  message.mutable_abandon()->set_attempt_id(attempt_id);
  message.mutable_abandon()->set_reason(reason);
  SendToAll(message);
}

void FakeController::CutSession() {
  absl::MutexLock lock(&mutex_);
  for (Stream* stream : streams_) stream->context->TryCancel();
}

bool FakeController::WaitUntil(const std::function<bool(const Seen&)>& condition) const {
  const auto holds = [&] {
    mutex_.AssertReaderHeld();
    return condition(seen_);
  };
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&holds), absl::Minutes(1));
}

FakeController::Seen FakeController::seen() const {
  absl::MutexLock lock(&mutex_);
  return seen_;
}

grpc::Status FakeController::Session(
    grpc::ServerContext* context,
    grpc::ServerReaderWriter<v1::ControllerMessage, v1::WorkerMessage>* grpc_stream) {
  Stream stream{context, grpc_stream, {}, 0, 0};
  v1::WorkerMessage message;
  bool first = true;
  while (grpc_stream->Read(&message)) {
    if (first != message.has_hello()) {
      absl::MutexLock lock(&mutex_);
      seen_.faults.push_back("the Hello is not the first message, or not the only Hello");
    }
    first = false;
    if (!Take(stream, message)) break;
  }
  absl::MutexLock lock(&mutex_);
  if (streams_.erase(&stream) > 0) --seen_.sessions_open;
  return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cut");
}

bool FakeController::Take(Stream& stream, const v1::WorkerMessage& message) {
  if (message.has_log()) return TakeLog(stream, message.log());
  if (message.has_finished()) {
    TakeFinished(stream, message.finished());
    return true;
  }
  v1::ControllerMessage reply;
  {
    absl::MutexLock lock(&mutex_);
    if (message.has_hello()) {
      seen_.hellos.push_back(message.hello());
      stream.number = static_cast<int>(seen_.hellos.size());
      reply = AnswerTo(message.hello());
    } else if (message.has_heartbeat()) {
      ++seen_.heartbeats;
      if (!manners_.answer_heartbeats) return true;
      reply.mutable_heartbeat_answer()->set_sequence(message.heartbeat().sequence());
    } else if (message.has_offer_answer()) {
      seen_.answers.push_back(message.offer_answer());
    } else if (message.has_progress()) {
      seen_.progress.push_back(message.progress());
    } else if (message.has_drain()) {
      seen_.drains.push_back(message.drain());
    }
  }
  if (reply.kind_case() != v1::ControllerMessage::KIND_NOT_SET) stream.Send(reply);
  if (message.has_hello()) {
    absl::MutexLock lock(&mutex_);
    streams_.insert(&stream);
    ++seen_.sessions_open;
  }
  return true;
}

v1::ControllerMessage FakeController::AnswerTo(const v1::Hello& hello) {
  v1::ControllerMessage reply;
  v1::HelloAnswer& answer = *reply.mutable_hello_answer();
  answer.set_protocol_version(1);
  answer.set_session_epoch(static_cast<int64_t>(seen_.hellos.size()));
  const int64_t millis = absl::ToInt64Milliseconds(manners_.heartbeat);
  answer.mutable_heartbeat_interval()->set_seconds(millis / 1000);
  answer.mutable_heartbeat_interval()->set_nanos(static_cast<int32_t>(millis % 1000 * 1'000'000));
  std::vector<std::string> ids;
  for (const v1::RunningAttempt& r : hello.running()) ids.push_back(r.attempt_id());
  for (const v1::Finished& f : hello.finished()) ids.push_back(f.attempt_id());
  for (const std::string& id : ids) {
    v1::AttemptVerdict& verdict = *answer.add_verdicts();
    verdict.set_attempt_id(id);
    const auto it = manners_.verdicts.find(id);
    verdict.set_verdict(it == manners_.verdicts.end() ? v1::AttemptVerdict::VERDICT_GO_ON
                                                      : it->second);
    verdict.set_log_offset(static_cast<int64_t>(seen_.logs[id].size()));
  }
  return reply;
}

bool FakeController::TakeLog(Stream& stream, const v1::LogChunk& chunk) {
  v1::ControllerMessage ack;
  bool cut = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stream.number != static_cast<int>(seen_.hellos.size())) return false;
    std::string& log = seen_.logs[chunk.attempt_id()];
    // Pieces may come again, but the same, and nothing may be left out.
    const auto at = static_cast<size_t>(chunk.offset());
    const size_t again = at <= log.size() ? std::min(log.size() - at, chunk.data().size()) : 0;
    if (at > log.size() || log.compare(at, again, chunk.data(), 0, again) != 0) {
      seen_.faults.push_back(absl::StrCat("log of ", chunk.attempt_id(), ": offset ",
                                          chunk.offset(), " where ", log.size(), " was due"));
    }
    log += chunk.data().substr(again);
    const int64_t due = static_cast<int64_t>(log.size()) / manners_.ack_each * manners_.ack_each;
    if (due > acked_[chunk.attempt_id()]) {
      acked_[chunk.attempt_id()] = due;
      ack.mutable_log_ack()->set_attempt_id(chunk.attempt_id());
      ack.mutable_log_ack()->set_offset(due);
    }
    stream.log_bytes += static_cast<int64_t>(chunk.data().size());
    cut = manners_.cut_after > 0 && stream.log_bytes >= manners_.cut_after;
    if (cut) {
      for (auto& [id, bytes] : seen_.logs) bytes.resize(static_cast<size_t>(acked_[id]));
    }
  }
  if (ack.has_log_ack()) stream.Send(ack);
  if (cut) stream.context->TryCancel();
  return !cut;
}

void FakeController::TakeFinished(Stream& stream, const v1::Finished& finished) {
  bool acknowledge;
  {
    absl::MutexLock lock(&mutex_);
    if (stream.number != static_cast<int>(seen_.hellos.size())) return;
    seen_.finished.push_back(finished);
    const auto log = seen_.logs.find(finished.attempt_id());
    const size_t have = log == seen_.logs.end() ? 0 : log->second.size();
    if (finished.log_size() != static_cast<int64_t>(have)) {
      seen_.faults.push_back(absl::StrCat(finished.attempt_id(), " finished with a log of ",
                                          finished.log_size(), " bytes, of which ", have, " came"));
    }
    acked_[finished.attempt_id()] = static_cast<int64_t>(have);
    acknowledge = manners_.acknowledge_results;
  }
  if (!acknowledge) return;
  v1::ControllerMessage reply;
  reply.mutable_acknowledged()->set_attempt_id(finished.attempt_id());
  stream.Send(reply);
}

}  // namespace manyarch
