#include "cli/interrupts.h"

#include <pthread.h>

#include <csignal>
#include <utility>

#include "common/os/signals.h"

namespace manyarch::cli {

Interrupts::Interrupts(std::function<void(int, int)> on_signal) {
  thread_ = std::thread([this, on_signal = std::move(on_signal)] {
    SignalWaiter waiter;
    for (int count = 1;; ++count) {
      const int signal = waiter.Wait();
      if (stopping_) return;
      on_signal(signal, count);
    }
  });
}

Interrupts::~Interrupts() {
  stopping_ = true;
  // To that thread alone: it wakes from its wait and sees that it is over.
  pthread_kill(thread_.native_handle(), SIGHUP);
  thread_.join();
}

}  // namespace manyarch::cli
