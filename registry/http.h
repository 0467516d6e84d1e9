// One HTTP exchange, as a port: the real one is CurlTransport, tests put faults between.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace manyarch::registry {

struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration timeout = absl::Seconds(60);  // Of the whole exchange.
  size_t max_response_bytes = 4 << 20;         // Of the body; more is an error.
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  std::string body;

  // The first header of that (lower-case) name; empty where it is absent.
  std::string Header(absl::string_view name) const;
  std::vector<std::string> Headers(absl::string_view name) const;
  // "404 Not Found"
  std::string StatusText() const;
};

// Thread-safe. Redirects are not followed: who follows must think about credentials.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // UNAVAILABLE: the network failed, trying again may help. FAILED_PRECONDITION: it will not (TLS
  // is refused, the answer is too large). CANCELLED: `stop` (may be null) was notified; this takes
  // at most a second.
  virtual absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) = 0;
};

}  // namespace manyarch::registry
