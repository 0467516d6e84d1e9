// A controller's end of the worker session, for tests of the worker: a real gRPC server with a
// controller's manners and none of its brains.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch {

// Answers Hellos and heartbeats, keeps logs and acknowledges them, notes everything else down. What
// it knows outlives its sessions. Thread-safe.
class FakeController : public v1::WorkerSession::Service {
 public:
  struct Manners {
    absl::Duration heartbeat = absl::Milliseconds(100);
    bool acknowledge_results = true;
    bool answer_heartbeats = true;
    // Cut the stream each time this many bytes of log have come on it, and forget what of them was
    // not acknowledged; 0: never.
    int64_t cut_after = 0;
    int64_t ack_each = 64 << 10;  // Acknowledge logs in steps of this many bytes.
    std::map<std::string, v1::AttemptVerdict::Verdict> verdicts = {};  // GO_ON for the others.
  };

  // `port` 0: any free one.
  explicit FakeController(int port = 0) : FakeController(Manners(), port) {}
  explicit FakeController(Manners manners, int port = 0);
  ~FakeController() override;

  int port() const { return port_; }
  std::string address() const;
  void SetManners(Manners manners);
  void Offer(const v1::Offer& offer);
  void Abandon(const std::string& attempt_id, const std::string& reason);
  void CutSession();

  // What has been seen so far.
  struct Seen {
    std::vector<v1::Hello> hellos;
    std::vector<v1::OfferAnswer> answers;
    std::vector<v1::Progress> progress;
    std::vector<v1::Finished> finished;
    std::vector<v1::Drain> drains;
    std::map<std::string, std::string> logs;
    std::vector<std::string> faults;  // What no worker may do.
    int heartbeats = 0;
    int sessions_open = 0;
  };
  // Waits until `condition` holds; false after a minute.
  bool WaitUntil(const std::function<bool(const Seen&)>& condition) const;
  Seen seen() const;

 private:
  struct Stream;

  grpc::Status Session(
      grpc::ServerContext* context,
      grpc::ServerReaderWriter<v1::ControllerMessage, v1::WorkerMessage>* stream) override;
  // False: the stream is to be cut.
  bool Take(Stream& stream, const v1::WorkerMessage& message);
  bool TakeLog(Stream& stream, const v1::LogChunk& chunk);
  void TakeFinished(Stream& stream, const v1::Finished& finished);
  v1::ControllerMessage AnswerTo(const v1::Hello& hello) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void SendToAll(const v1::ControllerMessage& message);

  mutable absl::Mutex mutex_;
  Manners manners_ ABSL_GUARDED_BY(mutex_);
  Seen seen_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int64_t> acked_ ABSL_GUARDED_BY(mutex_);
  std::set<Stream*> streams_ ABSL_GUARDED_BY(mutex_);
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace manyarch
