#include "registry/limited_transport.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {

constexpr int kDefaultConcurrency = 8;
constexpr absl::Duration kLongestPause = absl::Minutes(10);
// Where a host has had enough and does not say for how long.
constexpr absl::Duration kUnsaidPause = absl::Seconds(1);
constexpr absl::Duration kLookForStop = absl::Milliseconds(100);

}  // namespace

struct LimitedTransport::Host {
  Host(int concurrency, double per_second, absl::Time now) : limit(concurrency, per_second, now) {}

  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex) { return !limit.full(); }

  absl::Mutex mutex;
  HostLimit limit ABSL_GUARDED_BY(mutex);
};

// A request's turn, ended once.
class LimitedTransport::Turn {
 public:
  explicit Turn(Host& host) : host_(&host) {}
  ~Turn() { End(); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

  void End() {
    if (host_ == nullptr) return;
    absl::MutexLock lock(&host_->mutex);
    host_->limit.End();
    host_ = nullptr;
  }

 private:
  Host* host_;
};

LimitedTransport::LimitedTransport(Hosts hosts, HttpTransport* next, Waiter* waiter)
    : hosts_(std::move(hosts)), next_(next), waiter_(waiter) {}

LimitedTransport::~LimitedTransport() = default;

LimitedTransport::Host& LimitedTransport::Find(const std::string& authority) {
  absl::MutexLock lock(&mutex_);
  std::unique_ptr<Host>& host = by_authority_[authority];
  if (host == nullptr) {
    const HostSettings* const settings = hosts_.Find(authority);
    const bool counts = settings != nullptr && settings->concurrency > 0;
    const bool rates = settings != nullptr && settings->requests_per_second > 0;
    host = std::make_unique<Host>(counts ? settings->concurrency : kDefaultConcurrency,
                                  rates ? settings->requests_per_second : DefaultRate(authority),
                                  waiter_->Now());
  }
  return *host;
}

absl::Status LimitedTransport::Await(Host& host, const std::string& authority, absl::Time deadline,
                                     const absl::Notification* stop) {
  while (true) {
    if (stop != nullptr && stop->HasBeenNotified()) {
      return absl::CancelledError("stopped while waiting for the registry");
    }
    const absl::Time now = waiter_->Now();
    absl::Duration pause;
    {
      absl::MutexLock lock(&host.mutex);
      pause = host.limit.Begin(now);
      if (pause == absl::ZeroDuration()) return absl::OkStatus();
      if (pause == absl::InfiniteDuration()) {
        if (now > deadline) {
          return absl::UnavailableError(
              absl::StrCat("too many other requests to ", authority, " are under way"));
        }
        host.mutex.AwaitWithTimeout(absl::Condition(&host, &Host::HasRoom), kLookForStop);
        continue;
      }
    }
    if (now + pause > deadline) {
      return absl::UnavailableError(
          absl::StrCat(authority, " is to be left in peace for another ",
                       absl::FormatDuration(absl::Ceil(pause, absl::Seconds(1))),
                       ": it has asked for a pause, or its \"requests_per_second\" are used up"));
    }
    waiter_->Sleep(pause, stop);
  }
}

void LimitedTransport::Obey(Host& host, const Response& response) {
  if (response.status != 429 && response.status != 503) return;
  const absl::Time now = waiter_->Now();
  std::optional<absl::Duration> pause = ParseRetryAfter(response.Header("retry-after"), now);
  if (!pause && response.status == 429) pause = kUnsaidPause;
  if (!pause) return;
  absl::MutexLock lock(&host.mutex);
  host.limit.PauseUntil(now + std::min(*pause, kLongestPause));
}

absl::StatusOr<Response> LimitedTransport::Send(const Request& request,
                                                const absl::Notification* stop) {
  MA_ASSIGN_OR_RETURN(const Url url, ParseUrl(request.url));
  Host& host = Find(url.authority);
  MA_RETURN_IF_ERROR(Await(host, url.authority, request.deadline, stop));
  Turn turn(host);
  absl::StatusOr<Response> response = [&] {
    if (!request.sink) return next_->Send(request, stop);
    Request download = request;
    download.sink = [&](const Response& head, absl::string_view piece) {
      turn.End();
      return request.sink(head, piece);
    };
    return next_->Send(download, stop);
  }();
  if (response.ok()) Obey(host, *response);
  return response;
}

}  // namespace manyarch::registry
