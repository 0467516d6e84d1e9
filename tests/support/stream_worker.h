// A worker's end of a session, as bare as can be: says what it is told to say, hands out what it
// hears.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch::testing {

// One stream. `on_message` runs on the reading thread and may call Send. Thread-safe.
class StreamWorker {
 public:
  using OnMessage = std::function<void(StreamWorker& self, const v1::ControllerMessage&)>;

  StreamWorker(const std::string& address, OnMessage on_message);
  // Cuts the stream.
  ~StreamWorker();
  StreamWorker(const StreamWorker&) = delete;
  StreamWorker& operator=(const StreamWorker&) = delete;

  // A description that offers these platforms ("linux/amd64") natively, on the controller's
  // machine.
  static v1::Hello HelloOf(const std::string& id, const std::vector<std::string>& platforms,
                           int slots);

  void Send(const v1::WorkerMessage& message);
  void SayHello(const v1::Hello& hello);
  void AnswerOffer(const std::string& attempt_id, bool accepted);
  void Finish(const v1::Finished& finished);
  // Blocks until the stream has ended, and tells how.
  grpc::Status AwaitEnd();

 private:
  void Read();

  const OnMessage on_message_;
  std::unique_ptr<v1::WorkerSession::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WorkerMessage, v1::ControllerMessage>> stream_;
  absl::Mutex write_mutex_;
  absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status status_ ABSL_GUARDED_BY(mutex_);
  std::thread reader_;
};

}  // namespace manyarch::testing
