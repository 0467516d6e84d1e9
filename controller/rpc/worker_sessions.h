// The sessions with workers: asynchronous streams in, core events out, and the other way round.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "controller/core/effects.h"
#include "controller/rpc/ports.h"
#include "controller/rpc/session_stream.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch::controller::rpc {

struct SessionOptions {
  absl::Duration heartbeat_interval = absl::Seconds(5);
  std::string controller_version;
  int queues = 2;  // One thread each.
};

// Thread-safe. Lifetime: Register before the server is built, Start after, CloseAll before the
// server is shut down, Stop after it was.
class WorkerSessions : public StreamEvents {
 public:
  WorkerSessions(SessionOptions options, EventPort* events, LogPort* logs, RegistryPort* registry,
                 SecretPort* secrets);
  ~WorkerSessions() override;

  void Register(grpc::ServerBuilder& builder);
  void Start();
  // Ends every stream with `reason`; with `for_good`, streams that are opened from now on too.
  void CloseAll(const absl::Status& reason, bool for_good);
  // Blocks until all queues are drained and their threads are gone.
  void Stop();

  // `size` bytes of the attempt's log are durable: tells the worker that sends it.
  void AcknowledgeLog(const std::string& attempt_id, int64_t size);

  void CarryOut(const core::SendHelloAnswer& effect);
  void CarryOut(const core::SendOffer& effect);
  void CarryOut(const core::SendAbandon& effect);
  void CarryOut(const core::SendAcknowledged& effect);
  void CarryOut(const core::CloseSession& effect);
  // Sends what these have queued: what a worker is told in one turn goes out together.
  void Flush();

 private:
  struct Session {
    std::shared_ptr<SessionStream> stream;
    bool greeted = false;   // Its Hello has come.
    bool admitted = false;  // Its Hello was answered: the core knows it as this worker's session.
    absl::flat_hash_set<std::string> attempts;  // Those it may write logs of.
    // When a piece of a log was last told to the core as a sign of life.
    absl::Time heard = absl::InfinitePast();
  };

  void OnOpened(uint64_t stream) override;
  void OnMessage(uint64_t stream, const v1::WorkerMessage& message) override;
  void OnClosed(uint64_t stream) override;
  void OnReleased(uint64_t stream) override;

  void AcceptOn(grpc::ServerCompletionQueue* queue);
  void Serve(grpc::ServerCompletionQueue* queue);
  void OnHello(uint64_t stream, const v1::Hello& hello);
  void OnLog(uint64_t stream, const v1::LogChunk& chunk);
  // Asks for all that could not be taken, of the logs that this stream sends.
  void AskForLogsAgain(uint64_t stream);
  void AskForLogAgain(const std::string& attempt_id, int64_t size);
  void SendLogAck(const std::string& attempt_id, int64_t size, bool again);
  void OnFinished(uint64_t stream, const v1::Finished& finished);
  std::shared_ptr<SessionStream> Find(uint64_t stream);
  void Send(uint64_t stream, v1::ControllerMessage message);
  void Queue(uint64_t stream, v1::ControllerMessage message);
  void Close(uint64_t stream, const absl::Status& reason);
  bool Greeted(uint64_t stream);
  // Whether this session runs the attempt; from then on its log's acknowledgements go there.
  bool MaySendLog(uint64_t stream, const std::string& attempt_id);
  // A piece of a log came: tells the core, now and then, that the worker lives.
  void HeardLog(uint64_t stream);

  std::vector<std::shared_ptr<SessionStream>> queued_;  // Of the thread that carries out effects.

  const SessionOptions options_;
  EventPort* const events_;
  LogPort* const logs_;
  RegistryPort* const registry_;
  SecretPort* const secrets_;

  v1::WorkerSession::AsyncService service_;
  std::vector<std::unique_ptr<grpc::ServerCompletionQueue>> queues_;
  std::vector<std::thread> threads_;

  absl::Mutex mutex_;
  uint64_t last_id_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<uint64_t, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, grpc::ServerCompletionQueue*> queue_of_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, uint64_t> log_senders_ ABSL_GUARDED_BY(mutex_);  // By attempt.
  absl::flat_hash_set<std::string> gaps_ ABSL_GUARDED_BY(mutex_);  // Attempts: a piece is missing.
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status stop_reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::controller::rpc
