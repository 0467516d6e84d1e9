#include "common/os/signals.h"

#include <pthread.h>
#include <time.h>

#include <cerrno>

#include "absl/time/clock.h"

namespace manyarch {

namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&set, signal);
  return set;
}

}  // namespace

void BlockSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);
}

SignalWaiter::SignalWaiter() : set_(StopSignals()) {}

int SignalWaiter::Wait() {
  while (true) {
    const int signal = sigwaitinfo(&set_, nullptr);
    if (signal > 0) return signal;
  }
}

std::optional<int> SignalWaiter::WaitFor(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (true) {
    const absl::Duration left = std::max(absl::ZeroDuration(), end - absl::Now());
    const timespec spec = absl::ToTimespec(std::min(left, absl::Hours(1)));
    const int signal = sigtimedwait(&set_, nullptr, &spec);
    if (signal > 0) return signal;
    if (absl::Now() >= end) return std::nullopt;
  }
}

}  // namespace manyarch
