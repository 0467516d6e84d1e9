#include "common/base/backoff.h"

#include <algorithm>
#include <cmath>

namespace manyarch {

absl::Duration Backoff::Delay(int retry, double jitter) const {
  const double steps = std::pow(factor, std::clamp(retry, 0, 60));
  const absl::Duration whole = std::min(maximum, initial * steps);
  return whole * (0.5 + 0.5 * jitter);
}

}  // namespace manyarch
