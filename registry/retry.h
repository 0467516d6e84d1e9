// Trying again: what is worth it, how long to pause, when to give up. Time comes in through a port.
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "common/base/backoff.h"

namespace manyarch::registry {

// Time and randomness, as far as retrying needs them. Thread-safe.
class Waiter {
 public:
  virtual ~Waiter() = default;
  virtual absl::Time Now() = 0;
  // Returns early when `stop` (may be null) is notified.
  virtual void Sleep(absl::Duration pause, const absl::Notification* stop) = 0;
  // In [0, 1).
  virtual double Jitter() = 0;
};

// The machine's clock and randomness.
class SystemWaiter : public Waiter {
 public:
  absl::Time Now() override;
  void Sleep(absl::Duration pause, const absl::Notification* stop) override;
  double Jitter() override;
};

// Answers that may be different next time: 408, 425, 429, 500, 502, 503, 504.
bool IsRetriableStatus(int http_status);

// The value of a Retry-After header: seconds, or an HTTP date. Never negative.
std::optional<absl::Duration> ParseRetryAfter(absl::string_view value, absl::Time now);

// Counts the tries of one operation and spaces them. Not thread-safe; lives as long as the
// operation.
class Retrier {
 public:
  // `deadline` bounds the operation beside the budget.
  Retrier(Backoff backoff, RetryBudget budget, absl::Time deadline, Waiter* waiter,
          const absl::Notification* stop);

  // To be called after a try that failed in a way worth repeating. OK after the pause: try again.
  // UNAVAILABLE: time is up. CANCELLED: told to stop.
  absl::Status Pause(std::optional<absl::Duration> retry_after);

  // "after 4 tries in 2m59s"
  std::string Effort() const;
  // When the operation ends, with or without success.
  absl::Time Deadline() const { return std::min(deadline_, start_ + budget_.budget); }
  // What is left for one exchange of at most `wanted`.
  absl::Duration Timeout(absl::Duration wanted) const;

 private:
  const Backoff backoff_;
  const RetryBudget budget_;
  const absl::Time deadline_;
  Waiter* const waiter_;
  const absl::Notification* const stop_;
  const absl::Time start_;
  int retries_ = 0;
};

}  // namespace manyarch::registry
