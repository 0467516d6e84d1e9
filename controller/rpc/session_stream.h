// One worker's stream on an asynchronous completion queue.
#pragma once

#include <grpcpp/grpcpp.h>

#include <deque>
#include <functional>
#include <memory>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch::controller::rpc {

// What a stream tells its owner; called on the completion queue's thread.
class StreamEvents {
 public:
  virtual ~StreamEvents() = default;
  // A worker has dialled: the owner begins to wait for the next one.
  virtual void OnOpened(uint64_t stream) = 0;
  virtual void OnMessage(uint64_t stream, const v1::WorkerMessage& message) = 0;
  // Nothing more will be read.
  virtual void OnClosed(uint64_t stream) = 0;
  // Every operation has come back; the stream may be destroyed.
  virtual void OnReleased(uint64_t stream) = 0;
};

// At most one read and one write are in flight; what is sent meanwhile waits in a bounded outbox.
// Send and Close may be called from any thread, the rest runs on the queue's thread.
class SessionStream {
 public:
  SessionStream(uint64_t id, v1::WorkerSession::AsyncService* service,
                grpc::ServerCompletionQueue* queue, StreamEvents* events);
  SessionStream(const SessionStream&) = delete;
  SessionStream& operator=(const SessionStream&) = delete;

  // Asks for the next call.
  void Request();
  void Send(v1::ControllerMessage message);
  // As Send, but what is queued goes out with the next Send or Flush.
  void Queue(v1::ControllerMessage message);
  void Flush();
  // Ends the stream with `reason` once what is in the outbox has gone out.
  void Close(const absl::Status& reason);
  std::string peer() const { return context_.peer(); }
  uint64_t id() const { return id_; }

  // What the completion queue gives back.
  struct Operation {
    enum class Kind { kRequest, kRead, kWrite, kFinish };
    SessionStream* stream;
    Kind kind;
  };
  void OnOperation(Operation::Kind kind, bool ok);

 private:
  static constexpr size_t kMostQueued = 20'000;
  static constexpr size_t kMostSentBeforeTheEnd = 100;

  void StartRead();
  void Add(v1::ControllerMessage message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool Idle() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const uint64_t id_;
  v1::WorkerSession::AsyncService* const service_;
  grpc::ServerCompletionQueue* const queue_;
  StreamEvents* const events_;

  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<v1::ControllerMessage, v1::WorkerMessage> stream_{&context_};
  Operation request_op_{this, Operation::Kind::kRequest};
  Operation read_op_{this, Operation::Kind::kRead};
  Operation write_op_{this, Operation::Kind::kWrite};
  Operation finish_op_{this, Operation::Kind::kFinish};
  v1::WorkerMessage incoming_;  // Of the read in flight.

  absl::Mutex mutex_;
  std::deque<v1::ControllerMessage> outbox_ ABSL_GUARDED_BY(mutex_);
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool begun_ ABSL_GUARDED_BY(mutex_) = false;  // Anything was written.
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finishing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> close_reason_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::controller::rpc
