// One HTTP exchange, as a port: the real one is CurlTransport, tests put faults between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"

namespace manyarch::registry {

// What is trusted and shown when TLS is spoken. PEM texts; each may be empty.
struct TlsSettings {
  std::string ca_pem;           // Beside the authorities of the system.
  std::string client_cert_pem;  // With the intermediate certificates that go with it.
  std::string client_key_pem;
};

// Where an address leads.
enum class AddressKind { kPublic, kPrivate, kLoopback, kLinkLocal };

// The kinds of addresses that may be connected to. What a registry names (a realm, a redirect) must
// not lead to places that only this machine can reach.
struct Reach {
  bool private_networks = true;  // 10/8, 172.16/12, 192.168/16, 100.64/10, fc00::/7
  bool loopback = true;          // And what the machine calls itself: 0.0.0.0, ::
  bool link_local = true;        // 169.254/16 (where clouds serve secrets), fe80::/10

  bool Allows(AddressKind kind) const;
};

struct Response;

struct Request {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  absl::Duration connect_timeout = absl::Seconds(10);
  // Of the whole exchange; of one with a source or a sink, the longest time without a byte.
  absl::Duration timeout = absl::Seconds(60);
  // For waiting until the exchange may begin; streams also end at it.
  absl::Time deadline = absl::InfiniteFuture();
  size_t max_response_bytes = 4 << 20;  // Of the body; more is an error.

  // Where it is set: gives the body, piece by piece, instead of `body`: fills at most `size` bytes
  // and returns how many; `source_size` in all. May block. An error ends the exchange with it.
  std::function<absl::StatusOr<size_t>(char* buffer, size_t size)> source = nullptr;
  int64_t source_size = 0;
  // Where it is set: gets the body of a 2xx answer, piece by piece, instead of Response::body, and
  // is not bounded. May block. An error ends the exchange with it.
  std::function<absl::Status(const Response& head, absl::string_view piece)> sink = nullptr;

  std::shared_ptr<const TlsSettings> tls = nullptr;  // Null: the system's authorities alone.
  Reach reach = {};
};

struct Response {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // Names in lower case.
  std::string body;
  std::string peer = "";  // The address that answered; empty where a proxy stands between.

  // The first header of that (lower-case) name; empty where it is absent.
  std::string Header(absl::string_view name) const;
  std::vector<std::string> Headers(absl::string_view name) const;
  // "404 Not Found"
  std::string StatusText() const;
};

// Of an address as inet_ntop writes it; what is none counts as public.
AddressKind KindOf(absl::string_view address);
absl::string_view ToString(AddressKind kind);

// Thread-safe. Redirects are not followed: who follows must think about credentials.
class HttpTransport {
 public:
  virtual ~HttpTransport() = default;

  // UNAVAILABLE: the network failed, trying again may help. FAILED_PRECONDITION: it will not (TLS
  // is refused, the answer is too large, the address is out of reach). CANCELLED: `stop` (may be
  // null) was notified; this takes at most a second.
  virtual absl::StatusOr<Response> Send(const Request& request, const absl::Notification* stop) = 0;
};

}  // namespace manyarch::registry
