#include "registry/retry.h"

#include <algorithm>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace manyarch::registry {

absl::Time SystemWaiter::Now() { return absl::Now(); }

void SystemWaiter::Sleep(absl::Duration pause, const absl::Notification* stop) {
  if (stop == nullptr) {
    absl::SleepFor(pause);
  } else {
    stop->WaitForNotificationWithTimeout(pause);
  }
}

double SystemWaiter::Jitter() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(engine);
}

bool IsRetriableStatus(int http_status) {
  switch (http_status) {
    case 408:
    case 425:
    case 429:
    case 500:
    case 502:
    case 503:
    case 504:
      return true;
    default:
      return false;
  }
}

std::optional<absl::Duration> ParseRetryAfter(absl::string_view value, absl::Time now) {
  value = absl::StripAsciiWhitespace(value);
  uint32_t seconds = 0;
  if (absl::SimpleAtoi(value, &seconds)) return absl::Seconds(seconds);
  absl::Time date;
  std::string error;
  // ParseTime also takes "infinite-future".
  if (absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", value, &date, &error) &&
      date != absl::InfiniteFuture() && date != absl::InfinitePast()) {
    return std::max(date - now, absl::ZeroDuration());
  }
  return std::nullopt;
}

Retrier::Retrier(Backoff backoff, RetryBudget budget, absl::Time deadline, Waiter* waiter,
                 const absl::Notification* stop)
    : backoff_(backoff),
      budget_(budget),
      deadline_(deadline),
      waiter_(waiter),
      stop_(stop),
      start_(waiter->Now()) {}

absl::Status Retrier::Pause(std::optional<absl::Duration> retry_after) {
  const auto stopped = [this] { return stop_ != nullptr && stop_->HasBeenNotified(); };
  if (stopped()) return absl::CancelledError("stopped");
  absl::Duration pause = backoff_.Delay(retries_, waiter_->Jitter());
  if (retry_after) pause = std::max(pause, *retry_after);
  const absl::Time now = waiter_->Now();
  if (!budget_.Allows(start_, now, pause) || now + pause > deadline_) {
    return absl::UnavailableError(
        retry_after && *retry_after >= pause && *retry_after > absl::Seconds(1)
            ? absl::StrCat("the registry wants a pause of ", absl::FormatDuration(*retry_after))
            : "time is up");
  }
  ++retries_;
  waiter_->Sleep(pause, stop_);
  if (stopped()) return absl::CancelledError("stopped");
  return absl::OkStatus();
}

std::string Retrier::Effort() const {
  if (retries_ == 0) return "after one try";
  const absl::Duration took = waiter_->Now() - start_;
  return absl::StrCat("after ", retries_ + 1, " tries in ",
                      absl::FormatDuration(absl::Trunc(took, absl::Milliseconds(100))));
}

absl::Duration Retrier::Timeout(absl::Duration wanted) const {
  return std::clamp(deadline_ - waiter_->Now(), absl::Milliseconds(1), wanted);
}

}  // namespace manyarch::registry
