// The client's calls about blobs and uploads.
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/blob_copy.h"
#include "registry/client.h"
#include "registry/json.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {

constexpr int kTagsPerPage = 1000;
constexpr int kMaxPages = 1000;

// The address behind rel="next" in a Link header (RFC 8288); empty where there is none.
std::string NextPage(const std::string& link) {
  const size_t open = link.find('<');
  const size_t close = link.find('>', open == std::string::npos ? 0 : open);
  if (open == std::string::npos || close == std::string::npos) return "";
  const absl::string_view params = absl::string_view(link).substr(close + 1);
  if (!absl::StrContains(params, "rel=\"next\"") && !absl::StrContains(params, "rel=next"))
    return "";
  return link.substr(open + 1, close - open - 1);
}

}  // namespace

absl::StatusOr<bool> RegistryClient::HeadBlob(const Reference& repository, const Descriptor& blob,
                                              const CallOptions& call) {
  const Digest& digest = blob.digest;
  const std::string what =
      absl::StrCat("looking for blob ", digest.ToString(), " in ", repository.Repository());
  const Scope scope{repository.registry, repository.repository, false};
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(
      const Response response,
      Exchange(what, MakeRequest("HEAD", Url(repository, "blobs", digest.ToString())), scope,
               retrier));
  if (response.status == 404) return false;
  if (response.status != 200) return Refusal(what, response, scope);
  // A page of somebody's that stands between answers 200, too: only the blob itself is believed.
  const std::string named = response.Header("docker-content-digest");
  if (!named.empty()) return named == digest.ToString();
  int64_t size = -1;
  return absl::SimpleAtoi(response.Header("content-length"), &size) && size == blob.size;
}

absl::StatusOr<RegistryClient::Upload> RegistryClient::OpenUpload(const std::string& what,
                                                                  const Reference& repository,
                                                                  const std::string& mount_from,
                                                                  const Digest& digest,
                                                                  Retrier& retrier) {
  const Scope scope{repository.registry, repository.repository, true, mount_from};
  std::string url = Url(repository, "blobs", "uploads/");
  if (!mount_from.empty()) {
    url = WithParameter(std::move(url), "mount", digest.ToString());
    url = WithParameter(std::move(url), "from", mount_from);
  }
  MA_ASSIGN_OR_RETURN(const Response response,
                      Exchange(what, MakeRequest("POST", url), scope, retrier));
  if (response.status / 100 != 2) return Refusal(what, response, scope);
  if (!mount_from.empty() && response.status == 201) return Upload{true, ""};
  MA_ASSIGN_OR_RETURN(std::string next, NextUrl(url, response));
  return Upload{false, std::move(next)};
}

absl::StatusOr<std::string> RegistryClient::NextUrl(const std::string& url,
                                                    const Response& response) const {
  const std::string location = response.Header("location");
  if (location.empty()) return url;
  MA_ASSIGN_OR_RETURN(const auto base, ParseUrl(url));
  MA_ASSIGN_OR_RETURN(auto next, ResolveUrl(base, location));
  return std::move(next.text);
}

void RegistryClient::GiveUpUpload(const Reference& repository, const std::string& url,
                                  const Retrier& retrier) {
  Request request = MakeRequest("DELETE", url);
  request.timeout = retrier.Timeout(absl::Seconds(10));
  const Scope scope{repository.registry, repository.repository, true};
  static_cast<void>(authorizer_.Send(request, scope, stop_).ok());  // Some do not know how.
}

absl::Status RegistryClient::PutBlob(const Reference& repository, const std::string& bytes,
                                     const CallOptions& call) {
  const Digest digest = Digest::Of(bytes);
  const std::string what =
      absl::StrCat("writing blob ", digest.ToString(), " to ", repository.Repository());
  const Scope scope{repository.registry, repository.repository, true};
  Retrier retrier = MakeRetrier(call);
  while (true) {
    MA_ASSIGN_OR_RETURN(
        const bool there,
        HeadBlob(repository, {"", digest, static_cast<int64_t>(bytes.size()), std::nullopt}, call));
    if (there) return absl::OkStatus();
    MA_ASSIGN_OR_RETURN(const Upload upload, OpenUpload(what, repository, "", digest, retrier));
    Request put = MakeRequest("PUT", WithParameter(upload.url, "digest", digest.ToString()));
    put.headers.emplace_back("Content-Type", "application/octet-stream");
    put.body = bytes;
    put.timeout = retrier.Timeout(options_.request_timeout);
    put.deadline = retrier.Deadline();
    const absl::StatusOr<Response> response = authorizer_.Send(put, scope, stop_);
    absl::Status last = response.status();
    std::optional<absl::Duration> retry_after;
    if (response.ok()) {
      if (response->status / 100 == 2) return absl::OkStatus();
      last = Refusal(what, *response, scope);
      if (!IsRetriableStatus(response->status)) return last;
      retry_after = ParseRetryAfter(response->Header("retry-after"), waiter_->Now());
    } else if (!absl::IsUnavailable(last)) {
      return Annotate(last, what);
    }
    const absl::Status pause = retrier.Pause(retry_after);
    if (!pause.ok()) return GiveUp(what, last, pause, retrier);
  }
}

absl::StatusOr<bool> RegistryClient::MountBlob(const Reference& repository, const Reference& from,
                                               const Digest& digest, const CallOptions& call) {
  if (repository.registry != from.registry) return false;
  const std::string what = absl::StrCat("mounting blob ", digest.ToString(), " of ",
                                        from.Repository(), " in ", repository.Repository());
  Retrier retrier = MakeRetrier(call);
  MA_ASSIGN_OR_RETURN(const Upload upload,
                      OpenUpload(what, repository, from.repository, digest, retrier));
  if (!upload.mounted) GiveUpUpload(repository, upload.url, retrier);
  return upload.mounted;
}

absl::Status RegistryClient::CopyBlob(const Reference& from, const Descriptor& blob,
                                      const Reference& to, const BlobProgress& on_progress,
                                      const CallOptions& call) {
  return BlobCopy(this, from, blob, to, on_progress, call).Run();
}

absl::StatusOr<std::vector<std::string>> RegistryClient::ListTags(const Reference& repository,
                                                                  const CallOptions& call) {
  const std::string what = absl::StrCat("listing the tags of ", repository.Repository());
  const Scope scope{repository.registry, repository.repository, false};
  std::string url = absl::StrCat(Url(repository, "tags", "list"), "?n=", kTagsPerPage);
  std::vector<std::string> tags;
  std::set<std::string> seen;
  for (int page = 0; page < kMaxPages && seen.insert(url).second; ++page) {
    Retrier retrier = MakeRetrier(call);
    MA_ASSIGN_OR_RETURN(const Response response,
                        Exchange(what, MakeRequest("GET", url), scope, retrier));
    if (response.status != 200) return Refusal(what, response, scope);
    MA_ASSIGN_OR_RETURN(const nlohmann::json body, ParseObject(response.body, what));
    if (const auto list = body.find("tags"); list != body.end() && list->is_array()) {
      for (const nlohmann::json& tag : *list) {
        // Some list nulls and digests.
        if (tag.is_string() && IsTag(tag.get_ref<const std::string&>())) {
          tags.push_back(tag.get<std::string>());
        }
      }
    }
    const std::string next = NextPage(response.Header("link"));
    if (next.empty()) return tags;
    MA_ASSIGN_OR_RETURN(const auto here, ParseUrl(url));
    MA_ASSIGN_OR_RETURN(auto there, ResolveUrl(here, next));
    if (there.authority != here.authority) {
      return absl::FailedPreconditionError(
          absl::StrCat(what, ": the next page is said to be at ", there.authority,
                       ", which is another host: that is not followed"));
    }
    url = std::move(there.text);
  }
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": the pages do not end, or lead back to one another"));
}

}  // namespace manyarch::registry
