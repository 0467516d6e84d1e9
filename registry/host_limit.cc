#include "registry/host_limit.h"

#include <algorithm>

namespace manyarch::registry {

HostLimit::HostLimit(int concurrency, double per_second, absl::Time now)
    : concurrency_(concurrency),
      per_second_(per_second),
      most_tokens_(std::max(1.0, per_second)),
      tokens_(most_tokens_),
      counted_(now) {}

absl::Duration HostLimit::Begin(absl::Time now) {
  if (now < paused_until_) return paused_until_ - now;
  if (full()) return absl::InfiniteDuration();
  if (per_second_ > 0) {
    const double passed = absl::ToDoubleSeconds(std::max(now - counted_, absl::ZeroDuration()));
    tokens_ = std::min(most_tokens_, tokens_ + passed * per_second_);
    counted_ = now;
    // A hair less than one is one: seconds are not exact.
    if (tokens_ < 1.0 - 1e-6) return absl::Seconds((1.0 - tokens_) / per_second_);
    tokens_ -= 1.0;
  }
  ++running_;
  return absl::ZeroDuration();
}

void HostLimit::PauseUntil(absl::Time until) { paused_until_ = std::max(paused_until_, until); }

}  // namespace manyarch::registry
