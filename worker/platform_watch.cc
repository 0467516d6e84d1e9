#include "worker/platform_watch.h"

#include <string>
#include <utility>

#include "google/protobuf/util/message_differencer.h"
#include "spdlog/spdlog.h"

namespace manyarch::worker {

PlatformWatch::PlatformWatch(Ports ports, v1::WorkerDescription known, absl::Duration interval)
    : ports_(std::move(ports)), interval_(interval), known_(std::move(known)) {
  thread_ = std::thread([this] { Run(); });
}

PlatformWatch::~PlatformWatch() {
  {
    absl::MutexLock lock(&mutex_);
    over_ = true;
    wake_.Signal();
  }
  thread_.join();
}

void PlatformWatch::LookNow() {
  absl::MutexLock lock(&mutex_);
  ++asked_;
  wake_.Signal();
}

void PlatformWatch::LookNowAndWait() {
  absl::MutexLock lock(&mutex_);
  const int64_t mine = ++asked_;
  wake_.Signal();
  while (done_ < mine) answered_.Wait(&mutex_);
}

void PlatformWatch::Run() {
  while (true) {
    int64_t asked = 0;
    {
      absl::MutexLock lock(&mutex_);
      bool due = false;
      while (!over_ && asked_ == done_ && !due) due = wake_.WaitWithTimeout(&mutex_, interval_);
      if (over_) return;
      asked = asked_;
    }
    Look();
    absl::MutexLock lock(&mutex_);
    done_ = asked;
    answered_.SignalAll();
  }
}

void PlatformWatch::Look() {
  absl::StatusOr<v1::WorkerDescription> found = ports_.look();
  if (!found.ok()) {
    spdlog::warn("looking again at which platforms this machine runs: {}; nothing is changed",
                 std::string(found.status().message()));
    return;
  }
  if (google::protobuf::util::MessageDifferencer::Equals(known_, *found)) return;
  known_ = *std::move(found);
  ports_.tell(known_);
}

}  // namespace manyarch::worker
