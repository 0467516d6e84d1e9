#include "registry/http.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "absl/strings/str_cat.h"

namespace manyarch::registry {

namespace {

absl::string_view Reason(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 206:
      return "Partial Content";
    case 204:
      return "No Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 413:
      return "Payload Too Large";
    case 416:
      return "Range Not Satisfiable";
    case 415:
      return "Unsupported Media Type";
    case 425:
      return "Too Early";
    case 429:
      return "Too Many Requests";
    case 500:
      return "Internal Server Error";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    default:
      return "";
  }
}

AddressKind KindOfV4(uint32_t ip) {
  const auto in = [ip](uint32_t network, int bits) {
    return (ip >> (32 - bits)) == (network >> (32 - bits));
  };
  if (in(0x7f000000, 8) || in(0, 8)) return AddressKind::kLoopback;
  if (in(0xa9fe0000, 16)) return AddressKind::kLinkLocal;
  if (in(0x0a000000, 8) || in(0xac100000, 12) || in(0xc0a80000, 16) || in(0x64400000, 10)) {
    return AddressKind::kPrivate;
  }
  return AddressKind::kPublic;
}

}  // namespace

bool Reach::Allows(AddressKind kind) const {
  switch (kind) {
    case AddressKind::kPrivate:
      return private_networks;
    case AddressKind::kLoopback:
      return loopback;
    case AddressKind::kLinkLocal:
      return link_local;
    case AddressKind::kPublic:
      break;
  }
  return true;
}

AddressKind KindOf(absl::string_view address) {
  const std::string text(address.substr(0, address.find('%')));
  in_addr v4{};
  if (inet_pton(AF_INET, text.c_str(), &v4) == 1) return KindOfV4(ntohl(v4.s_addr));
  in6_addr v6{};
  if (inet_pton(AF_INET6, text.c_str(), &v6) != 1) return AddressKind::kPublic;
  const uint8_t* b = v6.s6_addr;
  const uint32_t last =
      uint32_t{b[12]} << 24 | uint32_t{b[13]} << 16 | uint32_t{b[14]} << 8 | b[15];
  const bool nat64 = b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b;
  if (IN6_IS_ADDR_V4MAPPED(&v6) || nat64) return KindOfV4(last);
  if (IN6_IS_ADDR_LOOPBACK(&v6) || IN6_IS_ADDR_UNSPECIFIED(&v6)) return AddressKind::kLoopback;
  if (IN6_IS_ADDR_LINKLOCAL(&v6)) return AddressKind::kLinkLocal;
  if ((b[0] & 0xfe) == 0xfc || IN6_IS_ADDR_SITELOCAL(&v6)) return AddressKind::kPrivate;
  return AddressKind::kPublic;
}

absl::string_view ToString(AddressKind kind) {
  switch (kind) {
    case AddressKind::kPrivate:
      return "private";
    case AddressKind::kLoopback:
      return "loopback";
    case AddressKind::kLinkLocal:
      return "link-local";
    case AddressKind::kPublic:
      break;
  }
  return "public";
}

std::string Response::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return "";
}

std::vector<std::string> Response::Headers(absl::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : headers) {
    if (key == name) out.push_back(value);
  }
  return out;
}

std::string Response::StatusText() const {
  const absl::string_view reason = Reason(status);
  return absl::StrCat(status, reason.empty() ? "" : " ", reason);
}

}  // namespace manyarch::registry
