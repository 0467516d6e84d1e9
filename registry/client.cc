#include "registry/client.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/status_macros.h"
#include "registry/api_error.h"

namespace manyarch::registry {

namespace {

// For seeing, when time is up, whether a manifest has landed.
constexpr absl::Duration kLastLook = absl::Seconds(5);

// How often bytes may come that are not the ones asked for: what is between us and the registry may
// have spoilt them, but what is broken in the registry stays so.
constexpr int kSpoiltAnswers = 4;

Scope ReadScope(const Reference& reference) {
  return {reference.registry, reference.repository, false};
}
Scope WriteScope(const Reference& reference) {
  return {reference.registry, reference.repository, true};
}

// All four: a registry that may not answer in the stored form would convert it.
std::string AcceptAll() {
  return absl::StrJoin({kDockerList, kDockerManifest, kOciIndex, kOciManifest}, ", ");
}

bool IsSuccess(const Response& response) { return response.status / 100 == 2; }

std::optional<absl::Duration> RetryAfter(const Response& response, absl::Time now) {
  return ParseRetryAfter(response.Header("retry-after"), now);
}

bool SaysManifestInvalid(const Response& response) {
  const std::vector<ApiError> errors = ParseApiErrors(response.body);
  return response.status == 400 && std::any_of(errors.begin(), errors.end(), [](const ApiError& e) {
           return e.code == "MANIFEST_INVALID";
         });
}

}  // namespace

RegistryClient::RegistryClient(ClientOptions options, HttpTransport* transport, Waiter* waiter,
                               const absl::Notification* stop)
    : options_(std::move(options)),
      waiter_(waiter),
      stop_(stop),
      authorizer_(options_.hosts,
                  options_.keychain != nullptr ? options_.keychain
                                               : std::make_shared<Keychain>(options_.auth, waiter),
                  transport, waiter) {}

Request RegistryClient::MakeRequest(const std::string& method, std::string url) const {
  Request request;
  request.method = method;
  request.url = std::move(url);
  request.connect_timeout = options_.connect_timeout;
  request.timeout = options_.request_timeout;
  return request;
}

std::string RegistryClient::Url(const Reference& reference, absl::string_view kind,
                                absl::string_view name) const {
  return absl::StrCat(authorizer_.hosts().BaseUrl(reference.registry), "/v2/", reference.repository,
                      "/", kind, "/", name);
}

Retrier RegistryClient::MakeRetrier(const CallOptions& call) const {
  return Retrier(options_.backoff, options_.budget, call.deadline, waiter_, stop_);
}

absl::Status RegistryClient::Refusal(const std::string& what, const Response& response,
                                     const Scope& scope) const {
  std::string advice;
  if (response.status == 401 || response.status == 403) {
    advice = absl::StrCat("; ", authorizer_.Advice(scope, response.status));
  } else if (response.status == 404 && scope.push) {
    advice = "; some registries want the repository to be created first";
  } else if (response.status == 415) {
    advice =
        "; this registry does not take manifests of that type (Harbor takes lists from 2.0 on): "
        "update it, or use another one";
  }
  return absl::Status(CodeOf(response.status), absl::StrCat(what, ": the registry answered ",
                                                            DescribeAnswer(response), advice));
}

absl::Status RegistryClient::GiveUp(const std::string& what, const absl::Status& last,
                                    const absl::Status& why, const Retrier& retrier) const {
  if (absl::IsCancelled(why)) return absl::CancelledError(absl::StrCat(what, ": stopped"));
  return absl::UnavailableError(absl::StrCat(what, ": ", last.message(), "; gave up ",
                                             retrier.Effort(), " (", why.message(),
                                             "): check the registry and try again"));
}

absl::StatusOr<Response> RegistryClient::Exchange(const std::string& what, Request request,
                                                  const Scope& scope, Retrier& retrier) {
  while (true) {
    request.timeout = retrier.Timeout(options_.request_timeout);
    request.deadline = retrier.Deadline();
    absl::StatusOr<Response> response = authorizer_.Send(request, scope, stop_);
    absl::Status last;
    std::optional<absl::Duration> retry_after;
    if (!response.ok()) {
      last = response.status();
      if (!absl::IsUnavailable(last)) return Annotate(last, what);
    } else {
      if (!IsRetriableStatus(response->status)) return response;
      last =
          absl::UnavailableError(absl::StrCat("the registry answered ", DescribeAnswer(*response)));
      retry_after = RetryAfter(*response, waiter_->Now());
    }
    const absl::Status pause = retrier.Pause(retry_after);
    if (!pause.ok()) return GiveUp(what, last, pause, retrier);
  }
}

absl::Status RegistryClient::Ping(const std::string& registry, const CallOptions& call) {
  const std::string what = absl::StrCat("reaching registry ", registry);
  const Scope scope{registry, "", false};
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(
      const Response response,
      Exchange(what, MakeRequest("GET", authorizer_.hosts().BaseUrl(registry) + "/v2/"), scope,
               retrier));
  if (IsSuccess(response)) return absl::OkStatus();
  absl::Status refusal = Refusal(what, response, scope);
  if (response.status != 404) return refusal;
  return absl::FailedPreconditionError(
      absl::StrCat(refusal.message(), "; there seems to be no registry at that address"));
}

absl::StatusOr<FetchedManifest> RegistryClient::GetManifest(const Reference& reference,
                                                            const CallOptions& call) {
  const std::string what = absl::StrCat("reading the manifest of ", reference.ToString());
  const Scope scope = ReadScope(reference);
  Request request = MakeRequest("GET", Url(reference, "manifests", reference.ManifestName()));
  request.headers.emplace_back("Accept", AcceptAll());
  request.max_response_bytes = kMaxManifestSize;
  Retrier retrier = MakeRetrier(call);
  for (int answers = 1;; ++answers) {
    MA_ASSIGN_OR_RETURN(Response response, Exchange(what, request, scope, retrier));
    if (response.status != 200) return Refusal(what, response, scope);
    Digest digest = Digest::Of(response.body);
    auto manifest = ParseManifest(response.body, response.Header("content-type"));
    absl::Status wrong = Annotate(manifest.status(), what);
    bool spoilt = !wrong.ok() && response.Header("docker-content-digest") != digest.ToString();
    if (reference.digest && digest != *reference.digest) {
      wrong = absl::FailedPreconditionError(
          absl::StrCat(what, ": the registry answered with other bytes, whose digest is ",
                       digest.ToString(), "; push the image again"));
      spoilt = true;
    }
    if (wrong.ok()) {
      std::string media_type = MediaType(*manifest);
      return FetchedManifest{std::move(response.body), std::move(digest), std::move(media_type),
                             *std::move(manifest)};
    }
    if (!spoilt || answers == kSpoiltAnswers || !retrier.Pause(std::nullopt).ok()) return wrong;
  }
}

absl::StatusOr<std::optional<Digest>> RegistryClient::HeadManifest(const Reference& reference,
                                                                   const CallOptions& call) {
  const std::string what = absl::StrCat("looking up ", reference.ToString());
  const Scope scope = ReadScope(reference);
  Request request = MakeRequest("HEAD", Url(reference, "manifests", reference.ManifestName()));
  request.headers.emplace_back("Accept", AcceptAll());
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(const Response response, Exchange(what, std::move(request), scope, retrier));
  if (response.status == 404) return std::nullopt;
  if (response.status != 200) return Refusal(what, response, scope);
  const auto digest = Digest::Parse(response.Header("docker-content-digest"));
  if (digest.ok()) return *digest;
  // The header is optional.
  auto fetched = GetManifest(reference, call);
  if (absl::IsNotFound(fetched.status())) return std::nullopt;
  if (!fetched.ok()) return fetched.status();
  return std::move(fetched->digest);
}

absl::Status RegistryClient::PutManifest(const Reference& reference, const std::string& bytes,
                                         const std::string& media_type, const CallOptions& call) {
  const std::string what = absl::StrCat("writing the manifest ", reference.ToString());
  const Digest digest = Digest::Of(bytes);
  if (reference.digest && *reference.digest != digest) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": the digest of its bytes is ", digest.ToString()));
  }
  const Scope scope = WriteScope(reference);
  const std::string url = Url(reference, "manifests", reference.ManifestName());
  Retrier retrier = MakeRetrier(call);
  bool called_invalid = false;
  while (true) {
    Request put = MakeRequest("PUT", url);
    put.headers.emplace_back("Content-Type", media_type);
    put.body = bytes;
    put.timeout = retrier.Timeout(options_.request_timeout);
    put.deadline = retrier.Deadline();
    absl::StatusOr<Response> response = authorizer_.Send(put, scope, stop_);
    absl::Status last = response.status();
    std::optional<absl::Duration> retry_after;
    if (response.ok()) {
      if (IsSuccess(*response)) {
        const auto stored = Digest::Parse(response->Header("docker-content-digest"));
        if (!stored.ok() || *stored == digest) return absl::OkStatus();
        return absl::FailedPreconditionError(absl::StrCat(
            what, ": the registry stored something else, with digest ", stored->ToString()));
      }
      last = Refusal(what, *response, scope);
      // Seen where one manifest was written under two tags at once; the second time it means it.
      const bool once_more = SaysManifestInvalid(*response) && !called_invalid;
      called_invalid = called_invalid || once_more;
      if (!IsRetriableStatus(response->status) && !once_more) return last;
      last = absl::Status(last.code(),
                          absl::StrCat("the registry answered ", DescribeAnswer(*response)));
      retry_after = RetryAfter(*response, waiter_->Now());
    } else if (!absl::IsUnavailable(last)) {
      return Annotate(last, what);
    }
    // It may have landed all the same: this is looked at before every other try, and at the end.
    const absl::Status pause = retrier.Pause(retry_after);
    if (!absl::IsCancelled(pause) && Shows(url, digest, scope, retrier)) return absl::OkStatus();
    if (!pause.ok()) return GiveUp(what, last, pause, retrier);
  }
}

bool RegistryClient::Shows(const std::string& url, const Digest& digest, const Scope& scope,
                           const Retrier& retrier) {
  Request head = MakeRequest("HEAD", url);
  head.headers.emplace_back("Accept", AcceptAll());
  head.timeout = retrier.Timeout(options_.request_timeout);
  head.deadline = std::max(retrier.Deadline(), waiter_->Now() + kLastLook);
  const absl::StatusOr<Response> seen = authorizer_.Send(head, scope, stop_);
  return seen.ok() && seen->status == 200 &&
         seen->Header("docker-content-digest") == digest.ToString();
}

absl::StatusOr<std::string> RegistryClient::GetBlob(const Reference& repository,
                                                    const Descriptor& blob,
                                                    const CallOptions& call) {
  const std::string what =
      absl::StrCat("reading blob ", blob.digest.ToString(), " of ", repository.Repository());
  if (blob.size > kMaxConfigSize) {
    return absl::InvalidArgumentError(absl::StrCat(what, ": it has ", blob.size, " bytes, at most ",
                                                   kMaxConfigSize, " are read"));
  }
  const Scope scope = ReadScope(repository);
  Request request = MakeRequest("GET", Url(repository, "blobs", blob.digest.ToString()));
  // Room for the error that may come instead.
  request.max_response_bytes = static_cast<size_t>(std::max<int64_t>(blob.size, 64 << 10));
  Retrier retrier = MakeRetrier(call);
  for (int answers = 1;; ++answers) {
    MA_ASSIGN_OR_RETURN(Response response, Exchange(what, request, scope, retrier));
    if (response.status != 200) return Refusal(what, response, scope);
    if (static_cast<int64_t>(response.body.size()) == blob.size &&
        Digest::Of(response.body) == blob.digest) {
      return std::move(response.body);
    }
    if (answers == kSpoiltAnswers || !retrier.Pause(std::nullopt).ok()) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, ": the registry answered with other bytes (", response.body.size(),
                       " of them, want ", blob.size, "); push the image again"));
    }
  }
}

absl::Status RegistryClient::CheckPush(const Reference& repository, const CallOptions& call) {
  const std::string what =
      absl::StrCat("checking that pushing to ", repository.Repository(), " is allowed");
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(const Upload upload,
                      OpenUpload(what, repository, "", Digest::Of(""), retrier));
  GiveUpUpload(repository, upload.url, retrier);
  return absl::OkStatus();
}

absl::Status RegistryClient::DeleteManifest(const Reference& reference, const CallOptions& call) {
  const std::string what = absl::StrCat("deleting ", reference.ToString());
  const Scope scope = WriteScope(reference);
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(
      const Response response,
      Exchange(what, MakeRequest("DELETE", Url(reference, "manifests", reference.ManifestName())),
               scope, retrier));
  if (IsSuccess(response) || response.status == 404) return absl::OkStatus();
  return Refusal(what, response, scope);
}

}  // namespace manyarch::registry
