#include "common/os/stop_token.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <utility>

namespace manyarch {

StopToken::StopToken() : fd_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

StopToken::~StopToken() {
  if (fd_ >= 0) close(fd_);
}

void StopToken::Stop(std::string reason) {
  absl::MutexLock lock(&mutex_);
  if (stopped_) return;
  stopped_ = true;
  reason_ = std::move(reason);
  const uint64_t one = 1;
  // Never read, so it stays readable; a write of 1 to a fresh eventfd cannot fail.
  if (fd_ >= 0) static_cast<void>(!write(fd_, &one, sizeof one));
}

bool StopToken::stopped() const {
  absl::MutexLock lock(&mutex_);
  return stopped_;
}

std::string StopToken::reason() const {
  absl::MutexLock lock(&mutex_);
  return reason_;
}

bool StopToken::WaitFor(absl::Duration timeout) const {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&stopped_), timeout);
}

}  // namespace manyarch
