// The few things needed of URLs: which host, and where a relative address leads.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::registry {

struct Url {
  std::string scheme;     // "http" or "https"
  std::string authority;  // "host:port" with the port always there; names credentials' owners
  std::string host;       // Without the port; IPv6 in brackets.
  std::string text;       // The whole URL, without a fragment.
};

// An absolute http or https URL. One with a user name in it is refused: credentials do not travel
// so.
absl::StatusOr<Url> ParseUrl(absl::string_view text);

// `reference` as seen from `base` (RFC 3986): absolute, "//host/…", "/path" or relative.
absl::StatusOr<Url> ResolveUrl(const Url& base, absl::string_view reference);

// `text` for use as a value in a query: all but unreserved characters as %XX.
std::string QueryEscape(absl::string_view text);

// `url` with "name=value" (escaped) at the end of its query.
std::string WithParameter(std::string url, absl::string_view name, absl::string_view value);

}  // namespace manyarch::registry
