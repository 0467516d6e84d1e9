// The worker's end of the session: carries out the core's effects on the wire.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "worker/core/effects.h"
#include "worker/link/log_spool.h"
#include "worker/link/session.h"
#include "worker/link/wire.h"

namespace manyarch::worker::link {

// Holds the present session and the logs of the attempts. What it does for a connection that is no
// longer the present one is nothing. One thread calls it, the agent's loop; but PokeLogs may come
// from any. `sink` gets the events of all sessions, from their threads, until the destructor
// returns.
class Link {
 public:
  Link(std::string target, Identity identity, Session::Sink sink)
      : target_(std::move(target)), identity_(std::move(identity)), sink_(std::move(sink)) {}

  void Do(const core::Dial& e);
  void Do(const core::DropConnection& e);
  void Do(const core::SendHello& e);
  void Do(const core::SendHeartbeat& e);
  void Do(const core::SendOfferAnswer& e);
  void Do(const core::SendProgress& e);
  void Do(const core::SendFinished& e);
  void Do(const core::SendDrain& e);
  void Do(const core::SendReadiness& e);
  void Do(const core::ResumeLog& e);
  void Do(const core::AckLog& e);

  // What is said of this worker from the next Hello on.
  void SetDescription(v1::WorkerDescription description);

  void AddLog(const std::string& attempt_id, std::shared_ptr<LogSpool> spool);
  void RemoveLog(const std::string& attempt_id);
  // Some log has grown.
  void PokeLogs();

  // Sends what can be sent, waits at most `patience` for the controller to end the stream.
  void Close(absl::Duration patience);

 private:
  std::shared_ptr<Session> Current() const;
  std::shared_ptr<Session> Current(core::ConnectionId connection) const;
  void Put(core::ConnectionId connection, v1::WorkerMessage message);
  void Retire();

  const std::string target_;
  Identity identity_;
  const Session::Sink sink_;
  std::map<std::string, std::shared_ptr<LogSpool>> logs_;
  core::ConnectionId connection_ = 0;
  std::list<std::shared_ptr<Session>>
      retired_;  // Cancelled; deleted once their threads are through.
  mutable absl::Mutex mutex_;
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::worker::link
