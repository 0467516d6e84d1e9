#pragma once

#include "absl/time/time.h"

namespace manyarch::registry {

// How much may be asked of one host: so many requests at one time, so many a second, and none while
// it wants a pause. Pure: time is an argument. Not thread-safe.
class HostLimit {
 public:
  // `per_second` 0: as many as one likes.
  HostLimit(int concurrency, double per_second, absl::Time now);

  // Zero: a request may begin now, and has been counted. Infinite: when another one ends. Else: not
  // before that much time has passed.
  absl::Duration Begin(absl::Time now);
  void End() { --running_; }
  // Nothing begins before `until`.
  void PauseUntil(absl::Time until);

  bool full() const { return running_ >= concurrency_; }

 private:
  const int concurrency_;
  const double per_second_;
  const double most_tokens_;
  int running_ = 0;
  double tokens_;  // May begin at once; at most what one second gives, at least one.
  absl::Time counted_;
  absl::Time paused_until_ = absl::InfinitePast();
};

}  // namespace manyarch::registry
