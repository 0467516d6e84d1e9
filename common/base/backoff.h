// How retries are spaced, and for how long: two separate policies. Pure: the caller brings time and
// randomness.
#pragma once

#include "absl/time/time.h"

namespace manyarch {

// Exponential backoff with full jitter.
struct Backoff {
  absl::Duration initial = absl::Milliseconds(200);
  absl::Duration maximum = absl::Seconds(20);
  double factor = 2.0;

  // The pause before retry number `retry` (0 is the first one). `jitter` is in [0, 1).
  // The result lies in [half, whole) of the exponential step.
  absl::Duration Delay(int retry, double jitter) const;
};

// A retry budget: gives up when the next pause would end after `budget` has passed since `start`.
struct RetryBudget {
  absl::Duration budget = absl::Minutes(3);

  bool Allows(absl::Time start, absl::Time now, absl::Duration pause) const {
    return now + pause <= start + budget;
  }
};

}  // namespace manyarch
