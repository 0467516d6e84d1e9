#include "registry/authorizer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "registry/api_error.h"
#include "registry/reference.h"

namespace manyarch::registry {

namespace {

constexpr int kMaxRedirects = 5;

std::vector<std::string> ScopeTexts(const Scope& scope) {
  std::vector<std::string> out;
  if (scope.repository.empty()) return out;
  out.push_back(absl::StrCat("repository:", scope.repository, ":pull", scope.push ? ",push" : ""));
  if (!scope.also_read.empty()) {
    out.push_back(absl::StrCat("repository:", scope.also_read, ":pull"));
  }
  return out;
}

std::string TokenKey(const Scope& scope) {
  return absl::StrCat(scope.registry, " ", absl::StrJoin(ScopeTexts(scope), " "));
}

Reach ReachFrom(AddressKind kind) {
  return {kind != AddressKind::kPublic, kind == AddressKind::kLoopback,
          kind == AddressKind::kLinkLocal};
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Bearer where it is offered, else Basic.
const Challenge* Choose(const std::vector<Challenge>& challenges) {
  for (const absl::string_view scheme : {"bearer", "basic"}) {
    for (const Challenge& challenge : challenges) {
      if (challenge.scheme == scheme) return &challenge;
    }
  }
  return nullptr;
}

}  // namespace

Authorizer::Authorizer(Hosts hosts, std::shared_ptr<Keychain> keychain, HttpTransport* transport,
                       Waiter* waiter)
    : hosts_(std::move(hosts)),
      keychain_(std::move(keychain)),
      transport_(transport),
      waiter_(waiter) {}

bool Authorizer::IsRegistry(const Url& url, const Scope& scope) const {
  const auto own = ParseUrl(hosts_.BaseUrl(scope.registry));
  return own.ok() && own->scheme == url.scheme && own->authority == url.authority;
}

absl::StatusOr<Response> Authorizer::Transmit(Request request, const Url& url, bool own,
                                              const Scope& scope, const absl::Notification* stop) {
  // A registry must not use up, for itself, what we are allowed elsewhere: a token that another
  // host gives for our certificate would be shown to the registry.
  request.tls = hosts_.TlsFor(url.authority, scope.registry);
  if (!own && hosts_.Find(url.authority) == nullptr) {
    absl::MutexLock lock(&mutex_);
    const auto kind = kinds_.find(scope.registry);
    request.reach = ReachFrom(kind == kinds_.end() ? AddressKind::kPublic : kind->second);
  }
  absl::StatusOr<Response> response = transport_->Send(request, stop);
  if (own && response.ok() && !response->peer.empty()) {
    absl::MutexLock lock(&mutex_);
    kinds_[scope.registry] = KindOf(response->peer);
  }
  return response;
}

absl::StatusOr<std::optional<std::string>> Authorizer::Basic(const Scope& scope) {
  MA_ASSIGN_OR_RETURN(const std::optional<Credentials> credentials,
                      keychain_->Find(scope.registry, scope.repository));
  if (!credentials) return std::nullopt;
  return BasicHeader(*credentials);
}

absl::StatusOr<std::optional<std::string>> Authorizer::Authorization(const Scope& scope) {
  const std::optional<Demand> demand = KnownDemand(scope);
  if (!demand) return std::nullopt;
  if (demand->scheme == "basic") return Basic(scope);
  absl::MutexLock lock(&mutex_);
  const auto token = tokens_.find(TokenKey(scope));
  if (token == tokens_.end() || token->second.renew_at <= waiter_->Now()) return std::nullopt;
  return absl::StrCat("Bearer ", token->second.text);
}

std::optional<Authorizer::Demand> Authorizer::KnownDemand(const Scope& scope) {
  absl::MutexLock lock(&mutex_);
  const auto demand = demands_.find(scope.registry);
  if (demand == demands_.end()) return std::nullopt;
  return demand->second;
}

absl::StatusOr<Response> Authorizer::Send(const Request& request, const Scope& scope,
                                          const absl::Notification* stop) {
  MA_ASSIGN_OR_RETURN(Response response, SendOnce(request, scope, stop));
  return Follow(request, std::move(response), scope, stop);
}

absl::StatusOr<Response> Authorizer::SendOnce(const Request& request, const Scope& scope,
                                              const absl::Notification* stop) {
  MA_ASSIGN_OR_RETURN(const Url url, ParseUrl(request.url));
  const bool own = IsRegistry(url, scope);
  if (url.scheme == "http" && !own && !hosts_.AllowsPlainHttp(url.authority)) {
    return absl::FailedPreconditionError(
        absl::StrCat("refused to go to ", url.authority,
                     " over plain http: configure it as a plain http registry if that is meant"));
  }
  if (!own) return Transmit(request, url, own, scope, stop);

  const auto with_authorization = [&](const std::optional<std::string>& value) {
    Request out = request;
    if (value) out.headers.emplace_back("Authorization", *value);
    return out;
  };
  MA_ASSIGN_OR_RETURN(std::optional<std::string> shown, Authorization(scope));
  if (!shown) {
    // Where it is known that a token will be asked for, the request need not be refused first.
    if (const std::optional<Demand> demand = KnownDemand(scope);
        demand && demand->scheme == "bearer") {
      MA_RETURN_IF_ERROR(FetchToken(*demand, scope, request, stop));
      MA_ASSIGN_OR_RETURN(shown, Authorization(scope));
    }
  }
  MA_ASSIGN_OR_RETURN(Response response,
                      Transmit(with_authorization(shown), url, own, scope, stop));
  if (response.status != 401) return response;
  MA_ASSIGN_OR_RETURN(const bool again, Learn(response, request, scope, shown, stop));
  if (!again || request.source) return response;
  MA_ASSIGN_OR_RETURN(shown, Authorization(scope));
  return Transmit(with_authorization(shown), url, own, scope, stop);
}

absl::StatusOr<Response> Authorizer::Follow(Request request, Response response, const Scope& scope,
                                            const absl::Notification* stop) {
  for (int hops = 0; IsRedirect(response.status); ++hops) {
    const std::string location = response.Header("location");
    MA_ASSIGN_OR_RETURN(const Url from, ParseUrl(request.url));
    if (location.empty()) {
      return absl::FailedPreconditionError(
          absl::StrCat(from.authority, " answered with a redirect that leads nowhere"));
    }
    if (hops == kMaxRedirects) {
      return absl::FailedPreconditionError(
          absl::StrCat(from.authority, " redirects more than ", kMaxRedirects, " times"));
    }
    MA_ASSIGN_OR_RETURN(const Url to, ResolveUrl(from, location));
    const bool reads = request.method == "GET" || request.method == "HEAD";
    const bool same = to.scheme == from.scheme && to.authority == from.authority;
    const bool keeps_method = response.status == 307 || response.status == 308;
    if (request.source || (!reads && !(same && keeps_method))) {
      return absl::FailedPreconditionError(
          absl::StrCat(from.authority, " redirects a ", request.method, " to ", to.authority,
                       ": that is not followed; name the other registry instead"));
    }
    if (from.scheme == "https" && to.scheme == "http") {
      return absl::FailedPreconditionError(absl::StrCat(from.authority,
                                                        " redirects from https to plain http at ",
                                                        to.authority, ": that is not followed"));
    }
    request.url = to.text;
    MA_ASSIGN_OR_RETURN(response, SendOnce(request, scope, stop));
  }
  return response;
}

absl::StatusOr<bool> Authorizer::Learn(const Response& refusal, const Request& request,
                                       const Scope& scope, const std::optional<std::string>& shown,
                                       const absl::Notification* stop) {
  std::vector<Challenge> challenges = ParseChallenges(refusal.Headers("www-authenticate"));
  if (challenges.empty()) {
    // Some registries challenge at their base alone.
    Request base;
    base.url = hosts_.BaseUrl(scope.registry) + "/v2/";
    base.connect_timeout = request.connect_timeout;
    base.timeout = request.timeout;
    base.deadline = request.deadline;
    if (base.url == request.url) return false;
    MA_ASSIGN_OR_RETURN(const Url base_url, ParseUrl(base.url));
    MA_ASSIGN_OR_RETURN(const Response answer, Transmit(base, base_url, /*own=*/true, scope, stop));
    if (IsRetriableStatus(answer.status)) {
      return absl::UnavailableError(absl::StrCat("asking ", scope.registry,
                                                 " what credentials it wants: it answered ",
                                                 DescribeAnswer(answer)));
    }
    challenges = ParseChallenges(answer.Headers("www-authenticate"));
  }
  const Challenge* challenge = Choose(challenges);
  if (challenge == nullptr) return false;

  Demand demand{challenge->scheme, "", challenge->Param("service")};
  if (demand.scheme == "basic") {
    // What a helper gave may have been good until now.
    if (shown) keychain_->Distrust(scope.registry);
    MA_ASSIGN_OR_RETURN(const std::optional<std::string> basic, Basic(scope));
    absl::MutexLock lock(&mutex_);
    demands_[scope.registry] = demand;
    return basic && (!shown || *shown != *basic);
  }
  MA_ASSIGN_OR_RETURN(const Url from, ParseUrl(request.url));
  const auto realm = ResolveUrl(from, challenge->Param("realm"));
  if (challenge->Param("realm").empty() || !realm.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(scope.registry, " asks for a token but names no usable realm for it ('",
                     absl::CHexEscape(challenge->Param("realm")), "')"));
  }
  if (realm->scheme != "https" && !hosts_.AllowsPlainHttp(scope.registry)) {
    return absl::FailedPreconditionError(
        absl::StrCat(scope.registry, " asks for a token from ", realm->authority,
                     " over plain http: credentials do not travel so"));
  }
  demand.realm = realm->text;
  MA_RETURN_IF_ERROR(FetchToken(demand, scope, request, stop));
  return true;
}

absl::StatusOr<Response> Authorizer::AskRealm(const TokenDemand& demand,
                                              const std::optional<Credentials>& credentials,
                                              const Scope& scope, const Request& like,
                                              const absl::Notification* stop) {
  MA_ASSIGN_OR_RETURN(const Url realm, ParseUrl(demand.realm));
  const bool own = IsRegistry(realm, scope);
  const auto send = [&](Request request) {
    request.connect_timeout = like.connect_timeout;
    request.timeout = like.source || like.sink ? Request().timeout : like.timeout;
    request.deadline = like.deadline;
    return Transmit(std::move(request), realm, own, scope, stop);
  };
  if (credentials && !credentials->identity_token.empty()) {
    MA_ASSIGN_OR_RETURN(Response response,
                        send(RefreshRequest(demand, credentials->identity_token)));
    if (response.status != 404 && response.status != 405) return response;
  }
  return send(TokenRequest(demand, credentials));
}

absl::Status Authorizer::FetchToken(const Demand& demand, const Scope& scope, const Request& like,
                                    const absl::Notification* stop) {
  const std::string what = absl::StrCat("asking for a token for ", scope.registry);
  const TokenDemand wanted{demand.realm, demand.service, ScopeTexts(scope)};
  MA_ASSIGN_OR_RETURN(std::optional<Credentials> credentials,
                      keychain_->Find(scope.registry, scope.repository));
  auto response = AskRealm(wanted, credentials, scope, like, stop);
  if (response.ok() && response->status == 401 && credentials) {
    // What a helper gave may have been good until now.
    keychain_->Distrust(scope.registry);
    const std::optional<Credentials> old = credentials;
    MA_ASSIGN_OR_RETURN(credentials, keychain_->Find(scope.registry, scope.repository));
    if (credentials != old) response = AskRealm(wanted, credentials, scope, like, stop);
  }
  if (!response.ok()) return Annotate(response.status(), what);
  if (response->status != 200) {
    return absl::Status(CodeOf(response->status),
                        absl::StrCat(what, ": the token service answered ",
                                     DescribeAnswer(*response), "; ", Advice(scope, 401)));
  }
  std::optional<IssuedToken> token = ParseToken(response->body);
  if (!token) {
    // Somebody else's page, a part of an answer: worth another try.
    return absl::UnavailableError(
        absl::StrCat(what, ": the token service's answer holds no usable token"));
  }
  absl::MutexLock lock(&mutex_);
  demands_[scope.registry] = demand;
  // Early, but never so early that a fresh one is not used at all.
  tokens_[TokenKey(scope)] = {std::move(token->text),
                              waiter_->Now() + std::max(token->lifetime * 0.75, absl::Seconds(5))};
  return absl::OkStatus();
}

std::string Authorizer::Advice(const Scope& scope, int http_status) const {
  const auto credentials = keychain_->Known(scope.registry, scope.repository);
  const std::string user =
      credentials ? absl::StrCat("'", absl::CHexEscape(credentials->user), "'") : "nobody";
  if (http_status == 403) {
    return absl::StrCat("asked as ", user, ": ", scope.push ? "writing to " : "reading ",
                        scope.registry, "/", scope.repository, " needs that right");
  }
  if (credentials) {
    return absl::StrCat("check user name and password of ", user, " for ", scope.registry,
                        " in the registry auth file");
  }
  return absl::StrCat("no credentials for ", scope.registry,
                      " are configured: add an entry for it to the registry auth file");
}

}  // namespace manyarch::registry
