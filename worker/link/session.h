// One stream to the controller.
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>

#include "grpcpp/client_context.h"
#include "worker/core/events.h"
#include "worker/link/outbox.h"

namespace manyarch::worker::link {

// Dials when made, then reads and writes on a thread each until the stream ends. Events come from
// its threads: Connected first, Disconnected last. The destructor cancels and waits for the
// threads, which takes no longer than gRPC takes to cancel. Thread-safe.
class Session {
 public:
  using Sink = std::function<void(core::Event)>;

  Session(core::ConnectionId id, const std::string& target, Sink sink);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Outbox& outbox() { return outbox_; }
  // Ends it now, without a word.
  void Cancel();
  // Sends what can be sent, then half-closes; the controller ends the stream.
  void Flush();
  bool over() const { return over_; }

 private:
  void Run(const std::string& target);

  const core::ConnectionId id_;
  const Sink sink_;
  Outbox outbox_;
  grpc::ClientContext context_;
  std::atomic<bool> over_ = false;
  std::thread thread_;  // Reads; starts and joins the one that writes.
};

}  // namespace manyarch::worker::link
