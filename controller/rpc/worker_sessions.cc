#include "controller/rpc/worker_sessions.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/base/utf8.h"
#include "common/base/worker_values.h"
#include "controller/rpc/offer.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller::rpc {

namespace {

constexpr int kMostSlots = 1024;
constexpr size_t kLongestName = 128;

absl::Status CheckHello(const v1::Hello& hello) {
  const v1::WorkerDescription& worker = hello.worker();
  if (hello.protocol_version() != kProtocolVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("this controller speaks version ", kProtocolVersion,
                     " of the worker protocol, the worker speaks ", hello.protocol_version(),
                     "; upgrade the older one"));
  }
  if (worker.id().empty() || worker.id().size() > kLongestName || worker.name().empty() ||
      worker.name().size() > kLongestName) {
    return absl::InvalidArgumentError(
        absl::StrCat("a worker needs an id and a name of 1 to ", kLongestName, " characters"));
  }
  MA_RETURN_IF_ERROR(CheckWorkerText("id", worker.id()));
  MA_RETURN_IF_ERROR(CheckWorkerText("name", worker.name()));
  // These it does not choose; a program that sends such is no worker of ours.
  for (const auto& [what, text] : {std::pair{"version", &worker.version()},
                                   std::pair{"version of buildah", &worker.buildah_version()},
                                   std::pair{"isolation", &worker.isolation()}}) {
    if (text->size() > kLongestName) {
      return absl::InvalidArgumentError(
          absl::StrCat("the worker's ", what, " has more than ", kLongestName, " characters"));
    }
    if (!HasControlCharacters(*text)) continue;
    return absl::InvalidArgumentError(
        absl::StrCat("the worker's ", what, " '", EscapedText(*text),
                     "' has control characters in it: look at what it runs there"));
  }
  for (const auto& [name, value] : worker.labels()) {
    MA_RETURN_IF_ERROR(CheckWorkerLabel(name, value));
  }
  if (worker.slots() < 1 || worker.slots() > kMostSlots) {
    return absl::InvalidArgumentError(
        absl::StrCat("a worker offers 1 to ", kMostSlots, " slots, not ", worker.slots()));
  }
  return absl::OkStatus();
}

v1::AttemptVerdict::Verdict ToProto(core::Verdict verdict) {
  switch (verdict) {
    case core::Verdict::kGoOn:
      return v1::AttemptVerdict::VERDICT_GO_ON;
    case core::Verdict::kAbandon:
      return v1::AttemptVerdict::VERDICT_ABANDON;
    case core::Verdict::kAcknowledged:
      return v1::AttemptVerdict::VERDICT_ACKNOWLEDGED;
  }
  return v1::AttemptVerdict::VERDICT_UNSPECIFIED;
}

}  // namespace

WorkerSessions::WorkerSessions(SessionOptions options, EventPort* events, LogPort* logs,
                               RegistryPort* registry, SecretPort* secrets)
    : options_(std::move(options)),
      events_(events),
      logs_(logs),
      registry_(registry),
      secrets_(secrets) {}

WorkerSessions::~WorkerSessions() { Stop(); }

void WorkerSessions::Register(grpc::ServerBuilder& builder) {
  builder.RegisterService(&service_);
  for (int i = 0; i < options_.queues; ++i) queues_.push_back(builder.AddCompletionQueue());
}

void WorkerSessions::Start() {
  for (const auto& queue : queues_) {
    AcceptOn(queue.get());
    threads_.emplace_back([this, q = queue.get()] { Serve(q); });
  }
}

void WorkerSessions::AcceptOn(grpc::ServerCompletionQueue* queue) {
  // Under the lock, so that Stop sees either the session or nothing of it.
  absl::MutexLock lock(&mutex_);
  if (stopping_) return;
  const uint64_t id = ++last_id_;
  Session& session = sessions_[id];
  session.stream = std::make_unique<SessionStream>(id, &service_, queue, this);
  queue_of_[id] = queue;
  session.stream->Request();
}

void WorkerSessions::Serve(grpc::ServerCompletionQueue* queue) {
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {
    const auto* operation = static_cast<SessionStream::Operation*>(tag);
    operation->stream->OnOperation(operation->kind, ok);
  }
}

void WorkerSessions::CloseAll(const absl::Status& reason, bool for_good) {
  absl::MutexLock lock(&mutex_);
  if (for_good) {
    stopping_ = true;
    stop_reason_ = reason;
  }
  for (auto& [id, session] : sessions_) session.stream->Close(reason);
}

void WorkerSessions::Stop() {
  {
    // An operation must not be started on a queue that is shut down: every stream is let go first.
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    const auto gone = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return sessions_.empty(); };
    if (!threads_.empty()) mutex_.Await(absl::Condition(&gone));
  }
  for (const auto& queue : queues_) queue->Shutdown();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
  queues_.clear();
}

void WorkerSessions::OnOpened(uint64_t stream) {
  grpc::ServerCompletionQueue* queue = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    queue = queue_of_.at(stream);
    if (stopping_) sessions_.at(stream).stream->Close(stop_reason_);
  }
  AcceptOn(queue);
}

void WorkerSessions::OnClosed(uint64_t stream) { events_->Post(core::WorkerGone{stream}); }

void WorkerSessions::OnReleased(uint64_t stream) {
  std::shared_ptr<SessionStream> released;
  absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(stream);
  if (it == sessions_.end()) return;
  released = std::move(it->second.stream);
  for (const std::string& attempt_id : it->second.attempts) {
    const auto sender = log_senders_.find(attempt_id);
    if (sender == log_senders_.end() || sender->second != stream) continue;
    log_senders_.erase(sender);
    gaps_.erase(attempt_id);  // The next session begins where the log ends here.
  }
  sessions_.erase(it);
  queue_of_.erase(stream);
}

bool WorkerSessions::Greeted(uint64_t stream) {
  absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(stream);
  return it != sessions_.end() && it->second.greeted;
}

void WorkerSessions::OnMessage(uint64_t stream, const v1::WorkerMessage& message) {
  if (message.has_hello()) {
    OnHello(stream, message.hello());
    return;
  }
  if (!Greeted(stream)) {
    Close(stream, absl::InvalidArgumentError("the first message of a session must be a Hello"));
    return;
  }
  switch (message.kind_case()) {
    case v1::WorkerMessage::kHeartbeat: {
      v1::ControllerMessage answer;
      answer.mutable_heartbeat_answer()->set_sequence(message.heartbeat().sequence());
      Send(stream, std::move(answer));
      events_->Post(core::WorkerHeard{stream});
      AskForLogsAgain(stream);
      break;
    }
    case v1::WorkerMessage::kOfferAnswer:
      events_->Post(core::OfferAnswered{stream, message.offer_answer().attempt_id(),
                                        message.offer_answer().accepted(),
                                        message.offer_answer().reason()});
      break;
    case v1::WorkerMessage::kProgress:
      events_->Post(core::AttemptProgressed{stream, message.progress().attempt_id(),
                                            wire::PhaseFromProto(message.progress().state())});
      break;
    case v1::WorkerMessage::kLog:
      OnLog(stream, message.log());
      break;
    case v1::WorkerMessage::kFinished:
      OnFinished(stream, message.finished());
      break;
    case v1::WorkerMessage::kReadiness:
      events_->Post(core::WorkerReadiness{stream, message.readiness().not_ready()});
      break;
    case v1::WorkerMessage::kDrain:
      events_->Post(core::WorkerDrains{
          stream, {message.drain().hand_back().begin(), message.drain().hand_back().end()}});
      break;
    default:
      break;  // A kind that a newer worker knows: it can do without an answer.
  }
}

void WorkerSessions::OnHello(uint64_t stream, const v1::Hello& hello) {
  if (const absl::Status status = CheckHello(hello); !status.ok()) {
    spdlog::warn("worker {} is refused: {}",
                 EscapedText(hello.worker().name().substr(0, kLongestName)),
                 std::string(status.message()));
    Close(stream, status);
    return;
  }
  std::string peer;
  {
    absl::MutexLock lock(&mutex_);
    Session& session = sessions_.at(stream);
    session.greeted = true;
    for (const v1::RunningAttempt& running : hello.running()) {
      session.attempts.insert(running.attempt_id());
    }
    for (const v1::Finished& finished : hello.finished()) {
      session.attempts.insert(finished.attempt_id());
    }
    peer = session.stream->peer();
  }
  spdlog::info("worker {} ({}) says hello from {}: {} running, {} finished", hello.worker().name(),
               hello.worker().id(), peer, hello.running_size(), hello.finished_size());
  core::WorkerHello event = wire::FromProto(hello, stream);
  event.description.local = registry_->IsLocal(hello.worker());
  events_->Post(std::move(event));
}

std::shared_ptr<SessionStream> WorkerSessions::Find(uint64_t stream) {
  absl::MutexLock lock(&mutex_);
  const auto it = sessions_.find(stream);
  return it == sessions_.end() ? nullptr : it->second.stream;
}

void WorkerSessions::Send(uint64_t stream, v1::ControllerMessage message) {
  if (const auto found = Find(stream)) found->Send(std::move(message));
}

void WorkerSessions::Queue(uint64_t stream, v1::ControllerMessage message) {
  auto found = Find(stream);
  if (found == nullptr) return;
  found->Queue(std::move(message));
  queued_.push_back(std::move(found));
}

void WorkerSessions::Flush() {
  for (const auto& stream : queued_) stream->Flush();
  queued_.clear();
}

void WorkerSessions::Close(uint64_t stream, const absl::Status& reason) {
  if (const auto found = Find(stream)) found->Close(reason);
}

void WorkerSessions::CarryOut(const core::SendHelloAnswer& effect) {
  v1::ControllerMessage message;
  v1::HelloAnswer& answer = *message.mutable_hello_answer();
  answer.set_protocol_version(kProtocolVersion);
  answer.set_controller_version(options_.controller_version);
  answer.set_session_epoch(effect.epoch);
  *answer.mutable_heartbeat_interval() = wire::ToProto(options_.heartbeat_interval);
  for (const auto& [attempt_id, verdict] : effect.verdicts) {
    v1::AttemptVerdict& proto = *answer.add_verdicts();
    proto.set_attempt_id(attempt_id);
    proto.set_verdict(ToProto(verdict));
    // What is before the offset is deleted there: it must not be in the page cache alone here.
    const bool durable = logs_->Sync(attempt_id).ok();
    proto.set_log_offset(durable ? logs_->Size(attempt_id) : 0);
  }
  {
    absl::MutexLock lock(&mutex_);
    const auto it = sessions_.find(effect.session);
    if (it != sessions_.end()) it->second.admitted = true;
  }
  Queue(effect.session, std::move(message));
}

void WorkerSessions::CarryOut(const core::SendOffer& effect) {
  absl::StatusOr<v1::Offer> offer = MakeOffer(effect, *registry_, *secrets_);
  if (!offer.ok()) {
    // No worker can build it, now or later: as if this one had said so.
    core::Failure failure;
    failure.cls = core::FailureClass::kUser;
    failure.message = std::string(offer.status().message());
    events_->Post(core::AttemptFinished{effect.session, {effect.attempt_id, failure, 0}});
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    const auto it = sessions_.find(effect.session);
    if (it != sessions_.end()) it->second.attempts.insert(effect.attempt_id);
  }
  v1::ControllerMessage message;
  *message.mutable_offer() = *std::move(offer);
  Queue(effect.session, std::move(message));
}

void WorkerSessions::CarryOut(const core::SendAbandon& effect) {
  v1::ControllerMessage message;
  message.mutable_abandon()->set_attempt_id(effect.attempt_id);
  message.mutable_abandon()->set_reason(effect.reason);
  Queue(effect.session, std::move(message));
}

void WorkerSessions::CarryOut(const core::SendAcknowledged& effect) {
  v1::ControllerMessage message;
  message.mutable_acknowledged()->set_attempt_id(effect.attempt_id);
  Queue(effect.session, std::move(message));
  logs_->End(effect.attempt_id);
}

void WorkerSessions::CarryOut(const core::CloseSession& effect) {
  Close(effect.session, effect.reason);
}

}  // namespace manyarch::controller::rpc
