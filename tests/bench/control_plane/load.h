// Clients in a hurry.
#pragma once

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "manyarch/v1/farm.grpc.pb.h"

namespace manyarch::bench {

// Submits jobs of one build for each architecture, on threads of its own, as one of two paces says:
// so that there are always `depth` builds submitted and not done, or `rate` builds a second.
// Thread-safe.
class Load {
 public:
  struct Options {
    std::string address;
    std::vector<std::string> architectures;
    int depth = 0;
    double rate = 0;  // 0: by depth.
    int threads = 8;
  };

  explicit Load(Options options);
  // Stops submitting.
  ~Load();

  void Offered(const std::string& job_id);
  void Done() { ++done_; }

  int64_t submitted() const { return submitted_; }
  int64_t done() const { return done_; }
  const std::string& error() const { return error_; }
  // From the call of Submit to the first offer of the job, for jobs since the last call.
  std::vector<absl::Duration> TakeLatencies();

 private:
  void Run(int thread);
  bool Wait(int64_t nth, absl::Time start);

  const Options options_;
  std::string root_;
  std::atomic<bool> over_ = false;
  std::atomic<int64_t> begun_ = 0;      // Builds of which Submit was called.
  std::atomic<int64_t> submitted_ = 0;  // Builds of which it has returned.
  std::atomic<int64_t> done_ = 0;
  std::string error_;

  struct Seen {
    absl::Time submitted = absl::InfinitePast();
    absl::Time offered = absl::InfinitePast();
  };
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Seen> half_seen_ ABSL_GUARDED_BY(mutex_);
  std::vector<absl::Duration> latencies_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace manyarch::bench
