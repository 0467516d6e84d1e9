#include "registry/token_service.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "registry/json.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {
constexpr size_t kMaxTokenAnswer = 64 << 10;
constexpr uint64_t kLongestLifetime = uint64_t{24} * 3600;
}  // namespace

std::string BasicHeader(const Credentials& credentials) {
  return absl::StrCat(
      "Basic ", absl::Base64Escape(absl::StrCat(credentials.user, ":", credentials.secret())));
}

Request TokenRequest(const TokenDemand& demand, const std::optional<Credentials>& credentials) {
  Request request;
  request.url = demand.realm;
  if (!demand.service.empty()) {
    request.url = WithParameter(std::move(request.url), "service", demand.service);
  }
  for (const std::string& scope : demand.scopes) {
    request.url = WithParameter(std::move(request.url), "scope", scope);
  }
  if (credentials) request.headers.emplace_back("Authorization", BasicHeader(*credentials));
  request.max_response_bytes = kMaxTokenAnswer;
  return request;
}

Request RefreshRequest(const TokenDemand& demand, const std::string& identity_token) {
  Request request;
  request.method = "POST";
  request.url = demand.realm;
  request.headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
  request.body = absl::StrCat(
      "grant_type=refresh_token&client_id=manyarch&service=", QueryEscape(demand.service),
      "&scope=", QueryEscape(absl::StrJoin(demand.scopes, " ")),
      "&refresh_token=", QueryEscape(identity_token));
  request.max_response_bytes = kMaxTokenAnswer;
  return request;
}

std::optional<IssuedToken> ParseToken(absl::string_view text) {
  const auto body = ParseObject(text, "the token service's answer");
  if (!body.ok()) return std::nullopt;
  IssuedToken out{"", absl::Seconds(60)};
  for (const char* key : {"token", "access_token"}) {
    const auto member = body->find(key);
    if (out.text.empty() && member != body->end() && member->is_string()) {
      out.text = member->get<std::string>();
    }
  }
  const auto seconds = body->find("expires_in");
  if (seconds != body->end() && seconds->is_number_unsigned()) {
    out.lifetime = absl::Seconds(std::min(seconds->get<uint64_t>(), kLongestLifetime));
  }
  const bool printable = std::all_of(out.text.begin(), out.text.end(), [](char c) {
    return absl::ascii_isgraph(static_cast<unsigned char>(c));
  });
  if (out.text.empty() || !printable) return std::nullopt;
  return out;
}

}  // namespace manyarch::registry
