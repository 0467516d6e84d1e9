#include "registry/curl_transport.h"

#include <curl/curl.h>

#include <mutex>

#include "common/base/status_macros.h"
#include "registry/curl_exchange.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {
constexpr size_t kMaxIdleHandles = 16;
}  // namespace

struct CurlTransport::Handle {
  Handle() : easy(curl_easy_init()) {}
  ~Handle() { curl_easy_cleanup(easy); }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  CURL* easy;
};

CurlTransport::CurlTransport(std::string user_agent) : user_agent_(std::move(user_agent)) {
  static std::once_flag once;
  std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
}

CurlTransport::~CurlTransport() = default;

std::unique_ptr<CurlTransport::Handle> CurlTransport::Take() {
  absl::MutexLock lock(&mutex_);
  if (idle_.empty()) return std::make_unique<Handle>();
  auto handle = std::move(idle_.back());
  idle_.pop_back();
  return handle;
}

void CurlTransport::GiveBack(std::unique_ptr<Handle> handle) {
  curl_easy_reset(handle->easy);  // Keeps the connections.
  absl::MutexLock lock(&mutex_);
  if (idle_.size() < kMaxIdleHandles) idle_.push_back(std::move(handle));
}

absl::StatusOr<Response> CurlTransport::Send(const Request& request,
                                             const absl::Notification* stop) {
  MA_ASSIGN_OR_RETURN(const Url url, ParseUrl(request.url));
  std::unique_ptr<Handle> handle = Take();
  absl::StatusOr<Response> response =
      CurlExchange(handle->easy, request, url, stop).Run(user_agent_);
  GiveBack(std::move(handle));
  return response;
}

}  // namespace manyarch::registry
