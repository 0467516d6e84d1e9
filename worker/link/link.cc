#include "worker/link/link.h"

#include <utility>

#include "absl/time/clock.h"
#include "spdlog/spdlog.h"

namespace manyarch::worker::link {

std::shared_ptr<Session> Link::Current() const {
  absl::MutexLock lock(&mutex_);
  return session_;
}

std::shared_ptr<Session> Link::Current(core::ConnectionId connection) const {
  return connection == connection_ ? Current() : nullptr;
}

void Link::Retire() {
  std::shared_ptr<Session> old;
  {
    absl::MutexLock lock(&mutex_);
    old = std::move(session_);
    session_.reset();
  }
  if (old != nullptr) {
    old->Cancel();
    retired_.push_back(std::move(old));
  }
  // Deleting one joins its threads: not on this thread while that could take a while.
  retired_.remove_if([](const auto& session) { return session->over(); });
}

void Link::Do(const core::Dial& e) {
  Retire();
  connection_ = e.connection;
  auto session = std::make_shared<Session>(e.connection, target_, sink_);
  absl::MutexLock lock(&mutex_);
  session_ = std::move(session);
}

void Link::Do(const core::DropConnection& e) {
  if (e.connection == connection_) Retire();
}

void Link::Put(core::ConnectionId connection, v1::WorkerMessage message) {
  const auto session = Current(connection);
  if (session == nullptr || session->outbox().Put(std::move(message))) return;
  spdlog::warn("the controller does not take what this worker sends; starting the session again");
  session->Cancel();
}

void Link::Do(const core::SendHello& e) { Put(e.connection, ToWire(e, identity_)); }
void Link::Do(const core::SendHeartbeat& e) { Put(e.connection, ToWire(e)); }
void Link::Do(const core::SendOfferAnswer& e) { Put(e.connection, ToWire(e)); }
void Link::Do(const core::SendProgress& e) { Put(e.connection, ToWire(e)); }
void Link::Do(const core::SendDrain& e) { Put(e.connection, ToWire(e)); }

void Link::Do(const core::SendReadiness& e) { Put(e.connection, ToWire(e)); }

void Link::Do(const core::SendFinished& e) {
  if (const auto session = Current(e.connection)) session->outbox().PutFinished(ToWire(e.finished));
}

void Link::Do(const core::ResumeLog& e) {
  const auto session = Current(e.connection);
  const auto log = logs_.find(e.attempt_id);
  if (session == nullptr || log == logs_.end()) return;
  log->second->Acked(e.offset);
  session->outbox().StartLog(e.attempt_id, log->second, e.offset);
}

void Link::Do(const core::AckLog& e) {
  const auto log = logs_.find(e.attempt_id);
  if (log != logs_.end()) log->second->Acked(e.offset);
  if (const auto session = Current(e.connection)) {
    session->outbox().AckLog(e.attempt_id, e.offset, e.again);
  }
}

void Link::SetDescription(v1::WorkerDescription description) {
  identity_.worker = std::move(description);
}

void Link::AddLog(const std::string& attempt_id, std::shared_ptr<LogSpool> spool) {
  logs_[attempt_id] = std::move(spool);
}

void Link::RemoveLog(const std::string& attempt_id) {
  logs_.erase(attempt_id);
  if (const auto session = Current()) session->outbox().Drop(attempt_id);
}

void Link::PokeLogs() {
  if (const auto session = Current()) session->outbox().Poke();
}

void Link::Close(absl::Duration patience) {
  if (const auto session = Current()) {
    session->Flush();
    const absl::Time deadline = absl::Now() + patience;
    while (!session->over() && absl::Now() < deadline) absl::SleepFor(absl::Milliseconds(5));
  }
  Retire();
}

}  // namespace manyarch::worker::link
