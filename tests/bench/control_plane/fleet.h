// Many workers in one process: each a connection and a session of its own, none of them building.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "manyarch/v1/worker.grpc.pb.h"

namespace manyarch::bench {

// What all workers have in common. Called on the fleet's threads.
struct FleetPorts {
  std::function<void(const v1::Offer&)> offered;
  std::function<void()> acknowledged;
};

// Accepts every offer and reports its image at once. Thread-safe.
class Fleet {
 public:
  struct Options {
    std::string address;
    int workers = 1000;
    int slots = 1;
    int threads = 1;
    std::vector<std::string> architectures = {"amd64", "arm64"};
  };

  Fleet(Options options, FleetPorts ports);
  // Cuts all sessions.
  ~Fleet();
  Fleet(const Fleet&) = delete;
  Fleet& operator=(const Fleet&) = delete;

  // Until every worker has been answered its Hello; false where that takes longer than a minute.
  bool AwaitSessions();
  int in_session() const { return in_session_; }
  int ended() const { return ended_; }

 private:
  class Worker;
  struct Queue {
    grpc::CompletionQueue queue;
    std::thread thread;
  };
  void Serve(grpc::CompletionQueue* queue);

  const Options options_;
  const FleetPorts ports_;
  std::atomic<int> in_session_ = 0;
  std::atomic<int> ended_ = 0;
  std::atomic<bool> over_ = false;
  std::vector<std::unique_ptr<Queue>> queues_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::thread heart_;  // Heartbeats of all.
};

}  // namespace manyarch::bench
