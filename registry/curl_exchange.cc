#include "registry/curl_exchange.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <fstream>
#include <sstream>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "registry/reference.h"

namespace manyarch::registry {

namespace {

constexpr size_t kMaxHeaderBytes = 256 << 10;
constexpr size_t kMaxErrorBody = 64 << 10;   // That is kept.
constexpr size_t kMostErrorBytes = 4 << 20;  // That are read at all.

bool HasControlCharacter(absl::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return absl::ascii_iscntrl(static_cast<unsigned char>(c)); });
}

// Of the authorities that curl trusts by default.
const std::string& SystemAuthorities(CURL* easy) {
  static const std::string* const text = [easy] {
    char* path = nullptr;
    std::ostringstream out;
    if (curl_easy_getinfo(easy, CURLINFO_CAINFO, &path) == CURLE_OK && path != nullptr) {
      out << std::ifstream(path, std::ios::binary).rdbuf();
    }
    return new std::string(out.str());
  }();
  return *text;
}

void SetBlob(CURL* easy, CURLoption option, const std::string& text) {
  curl_blob blob{const_cast<char*>(text.data()), text.size(), CURL_BLOB_COPY};
  curl_easy_setopt(easy, option, &blob);
}

// Zero would mean "for ever".
long Milliseconds(absl::Duration d) {
  return static_cast<long>(
      std::clamp<int64_t>(absl::ToInt64Milliseconds(d), 1, int64_t{24} * 3600 * 1000));
}

int PortOf(const Url& url) {
  int port = 0;
  static_cast<void>(absl::SimpleAtoi(url.authority.substr(url.authority.rfind(':') + 1), &port));
  return port;
}

}  // namespace

CurlExchange::CurlExchange(CURL* easy, const Request& request, const Url& url,
                           const absl::Notification* stop)
    : easy_(easy), request_(request), url_(url), stop_(stop) {}

CurlExchange::~CurlExchange() { curl_slist_free_all(headers_); }

size_t CurlExchange::OnBody(char* data, size_t size, size_t count, void* self) {
  auto* exchange = static_cast<CurlExchange*>(self);
  const absl::string_view piece(data, size * count);
  Response& response = exchange->response_;
  long status = 0;
  curl_easy_getinfo(exchange->easy_, CURLINFO_RESPONSE_CODE, &status);
  response.status = static_cast<int>(status);
  if (exchange->request_.sink && status / 100 == 2) {
    exchange->callback_error_ = exchange->request_.sink(response, piece);
    exchange->Moved();
    return exchange->callback_error_.ok() ? piece.size() : 0;
  }
  // Of what explains an error the beginning is enough.
  const bool fine = status / 100 == 2;
  const size_t most = fine ? exchange->request_.max_response_bytes : kMaxErrorBody;
  exchange->body_bytes_ += piece.size();
  const size_t limit = fine ? most : kMostErrorBytes;
  if (exchange->body_bytes_ > limit) {
    exchange->too_large_ = absl::StrCat("the answer of ", exchange->url_.authority,
                                        " is larger than the ", limit, " bytes allowed");
    return 0;
  }
  const absl::string_view kept = piece.substr(0, most - response.body.size());
  response.body.append(kept.data(), kept.size());
  return piece.size();
}

size_t CurlExchange::OnHeader(char* data, size_t size, size_t count, void* self) {
  auto* exchange = static_cast<CurlExchange*>(self);
  const absl::string_view line(data, size * count);
  exchange->header_bytes_ += line.size();
  if (exchange->header_bytes_ > kMaxHeaderBytes) {
    exchange->too_large_ = absl::StrCat("the headers of the answer of ", exchange->url_.authority,
                                        " are larger than the ", kMaxHeaderBytes, " bytes allowed");
    return 0;
  }
  if (absl::StartsWith(line, "HTTP/")) {
    exchange->response_.headers.clear();  // What came before was a 1xx.
  } else if (const size_t colon = line.find(':'); colon != absl::string_view::npos) {
    exchange->response_.headers.emplace_back(
        absl::AsciiStrToLower(line.substr(0, colon)),
        std::string(absl::StripAsciiWhitespace(line.substr(colon + 1))));
  }
  return line.size();
}

size_t CurlExchange::OnRead(char* data, size_t size, size_t count, void* self) {
  auto* exchange = static_cast<CurlExchange*>(self);
  absl::StatusOr<size_t> got = exchange->request_.source(data, size * count);
  exchange->Moved();
  if (got.ok()) return *got;
  exchange->callback_error_ = std::move(got).status();
  return CURL_READFUNC_ABORT;
}

int CurlExchange::OnProgress(void* self, curl_off_t, curl_off_t down, curl_off_t, curl_off_t up) {
  auto* exchange = static_cast<CurlExchange*>(self);
  if (exchange->stop_ != nullptr && exchange->stop_->HasBeenNotified()) return 1;
  if (!exchange->streams()) return 0;
  if (down + up != exchange->moved_bytes_) {
    exchange->moved_bytes_ = down + up;
    exchange->Moved();
  }
  const absl::Time now = absl::Now();
  exchange->stalled_ =
      now - exchange->last_moved_ > exchange->request_.timeout || now > exchange->request_.deadline;
  return exchange->stalled_ ? 1 : 0;
}

bool CurlExchange::Refuses(absl::string_view address, int port) {
  // Another port is a proxy's, which is of the operator's choosing.
  if (port != PortOf(url_) || request_.reach.Allows(KindOf(address))) return false;
  refused_address_ = std::string(address);
  return true;
}

curl_socket_t CurlExchange::OnSocket(void* self, curlsocktype, curl_sockaddr* address) {
  auto* exchange = static_cast<CurlExchange*>(self);
  char text[INET6_ADDRSTRLEN] = "";
  int port = 0;
  if (address->family == AF_INET) {
    const auto* v4 = reinterpret_cast<const sockaddr_in*>(&address->addr);
    inet_ntop(AF_INET, &v4->sin_addr, text, sizeof(text));
    port = ntohs(v4->sin_port);
  } else if (address->family == AF_INET6) {
    const auto* v6 = reinterpret_cast<const sockaddr_in6*>(&address->addr);
    inet_ntop(AF_INET6, &v6->sin6_addr, text, sizeof(text));
    port = ntohs(v6->sin6_port);
  }
  if (exchange->Refuses(text, port)) return CURL_SOCKET_BAD;
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

// Also of connections that are used again, which were opened for another purpose.
int CurlExchange::OnConnected(void* self, char* ip, char*, int port, int) {
  auto* exchange = static_cast<CurlExchange*>(self);
  if (exchange->Refuses(ip, port)) return CURL_PREREQFUNC_ABORT;
  if (port == PortOf(exchange->url_)) exchange->response_.peer = ip;
  return CURL_PREREQFUNC_OK;
}

absl::Status CurlExchange::SetHeaders() {
  const auto add = [this](const std::string& line) {
    headers_ = curl_slist_append(headers_, line.c_str());
  };
  bool has_type = false;
  for (const auto& [name, value] : request_.headers) {
    if (HasControlCharacter(name) || HasControlCharacter(value)) {
      return absl::InvalidArgumentError(
          absl::StrCat("the HTTP header ", name, " would have a control character in it"));
    }
    has_type = has_type || absl::EqualsIgnoreCase(name, "Content-Type");
    add(absl::StrCat(name, ": ", value));
  }
  add("Expect:");  // No pause for a 100.
  if (!has_type) add("Content-Type:");
  curl_easy_setopt(easy_, CURLOPT_HTTPHEADER, headers_);
  return absl::OkStatus();
}

void CurlExchange::SetBody() {
  if (request_.method == "HEAD") {
    curl_easy_setopt(easy_, CURLOPT_NOBODY, 1L);
    return;
  }
  if (request_.method == "GET") return;
  if (request_.source) {
    curl_easy_setopt(easy_, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy_, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(request_.source_size));
    curl_easy_setopt(easy_, CURLOPT_READFUNCTION, OnRead);
    curl_easy_setopt(easy_, CURLOPT_READDATA, this);
  } else if (request_.method != "DELETE" || !request_.body.empty()) {
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request_.body.size()));
    curl_easy_setopt(easy_, CURLOPT_POSTFIELDS, request_.body.c_str());
  }
  curl_easy_setopt(easy_, CURLOPT_CUSTOMREQUEST, request_.method.c_str());
}

void CurlExchange::SetTls() {
  if (request_.tls == nullptr) return;
  const TlsSettings& tls = *request_.tls;
  if (!tls.ca_pem.empty()) {
    // curl takes one text, which replaces the one it has.
    SetBlob(easy_, CURLOPT_CAINFO_BLOB, absl::StrCat(SystemAuthorities(easy_), "\n", tls.ca_pem));
  }
  if (!tls.client_cert_pem.empty()) {
    SetBlob(easy_, CURLOPT_SSLCERT_BLOB, tls.client_cert_pem);
    curl_easy_setopt(easy_, CURLOPT_SSLCERTTYPE, "PEM");
    SetBlob(easy_, CURLOPT_SSLKEY_BLOB, tls.client_key_pem);
    curl_easy_setopt(easy_, CURLOPT_SSLKEYTYPE, "PEM");
  }
}

void CurlExchange::SetTimes() {
  curl_easy_setopt(easy_, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(request_.connect_timeout));
  // A stream is as long as it is: OnProgress looks whether it moves.
  if (!streams()) curl_easy_setopt(easy_, CURLOPT_TIMEOUT_MS, Milliseconds(request_.timeout));
  curl_easy_setopt(easy_, CURLOPT_XFERINFOFUNCTION, OnProgress);
  curl_easy_setopt(easy_, CURLOPT_XFERINFODATA, this);
  curl_easy_setopt(easy_, CURLOPT_NOPROGRESS, 0L);
}

absl::StatusOr<Response> CurlExchange::Run(const std::string& user_agent) {
  MA_RETURN_IF_ERROR(SetHeaders());
  curl_easy_setopt(easy_, CURLOPT_URL, url_.text.c_str());
  curl_easy_setopt(easy_, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy_, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy_, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt(easy_, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(easy_, CURLOPT_USERAGENT, user_agent.c_str());
  curl_easy_setopt(easy_, CURLOPT_ERRORBUFFER, detail_);
  curl_easy_setopt(easy_, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy_, CURLOPT_WRITEDATA, this);
  curl_easy_setopt(easy_, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy_, CURLOPT_HEADERDATA, this);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETFUNCTION, OnSocket);
  curl_easy_setopt(easy_, CURLOPT_OPENSOCKETDATA, this);
  curl_easy_setopt(easy_, CURLOPT_PREREQFUNCTION, OnConnected);
  curl_easy_setopt(easy_, CURLOPT_PREREQDATA, this);
  if (IsLoopback(url_.host)) curl_easy_setopt(easy_, CURLOPT_NOPROXY, "*");
  SetTimes();
  SetTls();
  SetBody();
  const CURLcode code = curl_easy_perform(easy_);
  if (code != CURLE_OK) return Explain(code);
  long status = 0;
  curl_easy_getinfo(easy_, CURLINFO_RESPONSE_CODE, &status);
  response_.status = static_cast<int>(status);
  return std::move(response_);
}

absl::Status CurlExchange::ExplainTls(CURLcode code, absl::string_view words) const {
  const std::string& host = url_.authority;
  switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
      if (absl::StrContains(words, "does not match") ||
          absl::StrContains(words, "no alternative")) {
        return absl::FailedPreconditionError(
            absl::StrCat("the TLS certificate of ", host, " is for another host: ", words,
                         "; name the registry as its certificate does"));
      }
      return absl::FailedPreconditionError(absl::StrCat(
          "the TLS certificate of ", host, " is not trusted: ", words, "; add its CA under \"ca\" ",
          "for ", host, " in the registries file, or to the system's authorities"));
    case CURLE_SSL_CERTPROBLEM:
      return absl::FailedPreconditionError(
          absl::StrCat("the client certificate for ", host, " cannot be used: ", words,
                       "; check \"client_cert\" and \"client_key\" in the registries file"));
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
      if (absl::StrContains(words, "wrong version number") ||
          absl::StrContains(words, "packet length")) {
        return absl::FailedPreconditionError(absl::StrCat(
            host, " does not speak TLS (", words,
            "); if it is meant to speak plain http, configure it as a plain http registry"));
      }
      if (absl::StrContains(words, "certificate required") ||
          absl::StrContains(words, "bad certificate")) {
        return absl::FailedPreconditionError(absl::StrCat(
            host, " wants a client certificate, and ",
            request_.tls == nullptr || request_.tls->client_cert_pem.empty() ? "none is configured"
                                                                             : "not this one",
            " (", words,
            "): set \"client_cert\" and \"client_key\" for it in the registries file"));
      }
      break;
    default:
      break;
  }
  return absl::OkStatus();
}

absl::Status CurlExchange::Explain(CURLcode code) const {
  if (!callback_error_.ok()) return callback_error_;
  if (!refused_address_.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("refused to go to ", url_.authority, ", which is at the ",
                     ToString(KindOf(refused_address_)), " address ", refused_address_,
                     ": a registry elsewhere has no business there"));
  }
  std::string words(detail_[0] == '\0' ? curl_easy_strerror(code) : detail_);
  long os_error = 0;
  if (code == CURLE_COULDNT_CONNECT &&
      curl_easy_getinfo(easy_, CURLINFO_OS_ERRNO, &os_error) == CURLE_OK && os_error != 0) {
    // curl says only that it could not.
    words = std::generic_category().message(static_cast<int>(os_error));
  }
  MA_RETURN_IF_ERROR(ExplainTls(code, words));
  switch (code) {
    case CURLE_ABORTED_BY_CALLBACK:
      if (stalled_) {
        return absl::UnavailableError(
            absl::Now() > request_.deadline
                ? absl::StrCat("time is up for what moves to or from ", url_.authority)
                : absl::StrCat("nothing moved to or from ", url_.authority, " for ",
                               absl::FormatDuration(request_.timeout)));
      }
      return absl::CancelledError("stopped while waiting for the registry");
    case CURLE_WRITE_ERROR:
      if (too_large_.empty()) break;
      return absl::FailedPreconditionError(too_large_);
    case CURLE_OPERATION_TIMEDOUT:
      return absl::UnavailableError(
          absl::StrCat("no answer from ", url_.authority, " in time (", words, ")"));
    default:
      break;
  }
  return absl::UnavailableError(absl::StrCat("cannot talk to ", url_.authority, ": ", words));
}

}  // namespace manyarch::registry
