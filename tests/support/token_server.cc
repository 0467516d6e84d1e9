#include "tests/support/token_server.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace manyarch::testing {

namespace {

using nlohmann::json;

// Of those asked for, what the rights allow.
std::set<std::string> Allowed(const std::vector<TokenRight>& rights, const std::string& repository,
                              const std::set<std::string>& asked) {
  std::set<std::string> out;
  for (const TokenRight& right : rights) {
    if (right.repository != "*" && right.repository != repository) continue;
    for (const std::string& action : asked) {
      if (right.actions.count(action) > 0) out.insert(action);
    }
  }
  return out;
}

HttpAnswer Unauthorized() {
  HttpAnswer answer;
  answer.status = 401;
  answer.body =
      R"({"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]})";
  return answer;
}

}  // namespace

bool TokenClaims::Allows(const std::string& repository, const std::string& action) const {
  return !Allowed(granted, repository, {action}).empty();
}

TokenServer::TokenServer(TokenServerOptions options)
    : options_(std::move(options)), dice_(options_.faults) {
  server_ =
      std::make_unique<HttpServer>([this](const HttpRequest& request) { return Answer(request); });
}

HttpAnswer TokenServer::Answer(const HttpRequest& request) {
  {
    absl::MutexLock lock(&mutex_);
    requests_.push_back(request);
  }
  const Fault fault = dice_.Roll();
  HttpAnswer answer = dice_.Instead(fault, options_.clock());
  if (answer.status != 0) return answer;
  answer = Grant(request);
  dice_.Spoil(fault, answer);
  return answer;
}

HttpAnswer TokenServer::Grant(const HttpRequest& request) const {
  std::string subject;
  const std::vector<TokenRight>* rights = &options_.anonymous;
  if (request.method == "POST") {
    if (!options_.takes_refresh_tokens) return HttpAnswer{404, {}, "not found", "text/plain"};
    if (request.Param("grant_type") != "refresh_token") return Unauthorized();
    rights = nullptr;
    for (const auto& [name, user] : options_.users) {
      if (user.refresh_token.empty() || user.refresh_token != request.Param("refresh_token")) {
        continue;
      }
      subject = name;
      rights = &user.rights;
    }
    if (rights == nullptr) return Unauthorized();
  } else if (const std::string given = request.Header("authorization"); !given.empty()) {
    std::string plain;
    if (!absl::Base64Unescape(absl::StripPrefix(given, "Basic "), &plain)) return Unauthorized();
    const std::pair<std::string, std::string> parts =
        absl::StrSplit(plain, absl::MaxSplits(':', 1));
    const auto user = options_.users.find(parts.first);
    if (user == options_.users.end() || user->second.password != parts.second) {
      return Unauthorized();
    }
    subject = parts.first;
    rights = &user->second.rights;
  }
  if (request.Param("service") != options_.service) {
    return HttpAnswer{400, {}, R"({"errors":[{"code":"SERVICE","message":"unknown service"}]})"};
  }
  json access = json::array();
  for (const auto& [key, text] : request.params) {
    if (key != "scope") continue;
    for (const absl::string_view scope : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
      // "repository:name:pull,push"; the name may have a port, and so a colon, in it.
      const size_t first = scope.find(':');
      const size_t last = scope.rfind(':');
      if (first == absl::string_view::npos || first == last) continue;
      const std::string name(scope.substr(first + 1, last - first - 1));
      const std::set<std::string> asked = absl::StrSplit(scope.substr(last + 1), ',');
      access.push_back({{"type", std::string(scope.substr(0, first))},
                        {"name", name},
                        {"actions", Allowed(*rights, name, asked)}});
    }
  }
  const int64_t now = absl::ToUnixSeconds(options_.clock());
  const json claims = {{"iss", options_.issuer},
                       {"sub", subject},
                       {"aud", options_.service},
                       {"exp", now + absl::ToInt64Seconds(options_.lifetime)},
                       {"nbf", now - 10},
                       {"iat", now},
                       {"jti", absl::StrCat(now, "-", access.size())},
                       {"access", access}};
  json body = {{options_.key, signer_.Sign(claims.dump())}};
  if (options_.says_expires_in) body["expires_in"] = *options_.says_expires_in;
  HttpAnswer answer;
  answer.body = body.dump();
  return answer;
}

std::optional<TokenClaims> TokenServer::Verify(const std::string& token) const {
  const auto text = signer_.Open(token);
  if (!text) return std::nullopt;
  const json claims = json::parse(*text, nullptr, false);
  if (claims.value("aud", "") != options_.service ||
      claims.value("exp", int64_t{0}) <= absl::ToUnixSeconds(options_.clock())) {
    return std::nullopt;
  }
  TokenClaims out;
  out.subject = claims.value("sub", "");
  for (const json& access : claims["access"]) {
    out.granted.push_back(
        {access.value("name", ""), access.value("actions", std::set<std::string>())});
  }
  return out;
}

std::vector<HttpRequest> TokenServer::Requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

}  // namespace manyarch::testing
