// Ctrl-C as a call.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace manyarch::cli {

// Takes SIGINT, SIGTERM and SIGHUP on a thread of its own for as long as it lives. BlockSignals()
// must have been called before any other thread was started.
class Interrupts {
 public:
  // `on_signal(signal, count)` is called on that thread; count is 1 for the first signal.
  explicit Interrupts(std::function<void(int signal, int count)> on_signal);
  ~Interrupts();
  Interrupts(const Interrupts&) = delete;
  Interrupts& operator=(const Interrupts&) = delete;

 private:
  std::atomic<bool> stopping_{false};
  std::thread thread_;
};

}  // namespace manyarch::cli
