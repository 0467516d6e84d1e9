#include "registry/curl_transport.h"

#include <curl/curl.h>

#include <algorithm>
#include <mutex>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/reference.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr size_t kMaxIdleHandles = 16;

// What one exchange has received so far.
struct Exchange {
  Response response;
  size_t max_body = 0;
  size_t header_bytes = 0;
  bool too_large = false;
  const absl::Notification* stop = nullptr;
};

size_t OnBody(char* data, size_t size, size_t count, void* arg) {
  auto* exchange = static_cast<Exchange*>(arg);
  if (exchange->response.body.size() + size * count > exchange->max_body) {
    exchange->too_large = true;
    return 0;
  }
  exchange->response.body.append(data, size * count);
  return size * count;
}

size_t OnHeader(char* data, size_t size, size_t count, void* arg) {
  auto* exchange = static_cast<Exchange*>(arg);
  const absl::string_view line(data, size * count);
  exchange->header_bytes += line.size();
  if (exchange->header_bytes > kMaxHeaderBytes) {
    exchange->too_large = true;
    return 0;
  }
  if (absl::StartsWith(line, "HTTP/")) {
    exchange->response.headers.clear();  // What came before was a 1xx.
  } else if (const size_t colon = line.find(':'); colon != absl::string_view::npos) {
    exchange->response.headers.emplace_back(
        absl::AsciiStrToLower(line.substr(0, colon)),
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1))));
  }
  return size * count;
}

int OnProgress(void* arg, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  const auto* exchange = static_cast<const Exchange*>(arg);
  return exchange->stop != nullptr && exchange->stop->HasBeenNotified() ? 1 : 0;
}

struct HeaderList {
  curl_slist* list = nullptr;
  ~HeaderList() { curl_slist_free_all(list); }
  void Add(const std::string& line) { list = curl_slist_append(list, line.c_str()); }
};

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

absl::Status Explain(CURL* easy, CURLcode code, absl::string_view detail, const Request& request,
                     const Url& url, const Exchange& exchange) {
  std::string words(detail.empty() ? curl_easy_strerror(code) : detail);
  long os_error = 0;
  if (code == CURLE_COULDNT_CONNECT &&
      curl_easy_getinfo(easy, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK && os_error != 0) {
    // curl says only that it could not.
    words = std::generic_category().message(static_cast<int>(os_error));
  }
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      return absl::CancelledError("stopped while waiting for the registry");
    case CURLE_WRITE_ERROR:
      if (!exchange.too_large) break;
      return absl::FailedPreconditionError(
          absl::StrCat("the answer of ", url.authority, " is larger than the ",
                       request.max_response_bytes, " bytes allowed"));
    case CURLE_OPERATION_TIMEDOUT:
      return absl::UnavailableError(
          absl::StrCat("no answer from ", url.authority, " in time (", words, ")"));
    case CURLE_PEER_FAILED_VERIFICATION:
      return absl::FailedPreconditionError(
          absl::StrCat("the TLS certificate of ", url.authority, " is not trusted: ", words,
                       "; install the certificate authority that signed it"));
    case CURLE_SSL_CONNECT_ERROR:
      if (absl::StrContains(words, "wrong version number") ||
          absl::StrContains(words, "packet length")) {
        return absl::FailedPreconditionError(absl::StrCat(
            url.authority, " does not speak TLS (", words,
            "); if it is meant to speak plain http, configure it as a plain http registry"));
      }
      break;
    default:
      break;
  }
  return absl::UnavailableError(absl::StrCat("cannot talk to ", url.authority, ": ", words));
}

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
  HeaderList headers;
  bool has_type = false;
  for (const auto& [name, value] : request.headers) {
    if (HasControlCharacter(name) || HasControlCharacter(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the HTTP header ", name, " would have a control character in it"));
    }
    has_type = has_type || absl::EqualsIgnoreCase(name, "Content-Type");
    headers.Add(absl::StrCat(name, ": ", value));
  }
  headers.Add("Expect:");  // No pause for a 100: bodies are small.
  if (!has_type) headers.Add("Content-Type:");

  std::unique_ptr<Handle> handle = Take();
  CURL* const easy = handle->easy;
  Exchange exchange;
  exchange.max_body = request.max_response_bytes;
  exchange.stop = stop;
  char detail[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(easy, CURLOPT_URL, url.text.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy, CURLOPT_USERAGENT, user_agent_.c_str());
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.list);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, detail);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
  // Zero would mean "for ever".
  const auto milliseconds = [](absl::Duration d) {
    return static_cast<long>(
        std::clamp<int64_t>(absl::ToInt64Milliseconds(d), 1, 24 * 3600 * 1000));
  };
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, milliseconds(request.timeout));
  if (IsLoopback(url.host)) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
  } else if (request.method != "GET") {
    const bool with_body = request.method != "DELETE" || !request.body.empty();
    if (with_body) {
      curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                       static_cast<curl_off_t>(request.body.size()));
      curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
  }

  const CURLcode code = curl_easy_perform(easy);
  if (code != CURLE_OK) {
    absl::Status status = Explain(easy, code, detail, request, url, exchange);
    GiveBack(std::move(handle));
    return status;
  }
  long status = 0;
  curl_easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  exchange.response.status = static_cast<int>(status);
  GiveBack(std::move(handle));
  return std::move(exchange.response);
}

}  // namespace manyarch::registry
