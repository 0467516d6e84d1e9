#include "registry/url.h"

#include <curl/curl.h>

#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::registry {

namespace {

using Handle = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;

absl::Status Refuse(absl::string_view text, absl::string_view problem) {
  return absl::InvalidArgumentError(
      absl::StrCat("'", absl::CHexEscape(text.substr(0, 300)), "' is not a usable URL: ", problem));
}

// Empty where the part is absent.
std::string Part(const Handle& url, CURLUPart part, unsigned int flags = 0) {
  char* value = nullptr;
  if (curl_url_get(url.get(), part, &value, flags) != CURLUE_OK) return "";
  std::string out(value);
  curl_free(value);
  return out;
}

absl::StatusOr<Url> Take(const Handle& url, absl::string_view original) {
  if (!Part(url, CURLUPART_USER).empty() || !Part(url, CURLUPART_PASSWORD).empty()) {
    return absl::InvalidArgumentError("a URL that carries a user name or password is refused");
  }
  Url out;
  out.scheme = Part(url, CURLUPART_SCHEME);
  if (out.scheme != "http" && out.scheme != "https") {
    return Refuse(original, "want http or https");
  }
  out.host = absl::AsciiStrToLower(Part(url, CURLUPART_HOST));
  if (out.host.empty()) return Refuse(original, "it names no host");
  out.authority = absl::StrCat(out.host, ":", Part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT));
  curl_url_set(url.get(), CURLUPART_FRAGMENT, nullptr, 0);
  out.text = Part(url, CURLUPART_URL);
  return out;
}

}  // namespace

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  const Handle url(curl_url(), curl_url_cleanup);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, std::string(text).c_str(), 0);
  if (code != CURLUE_OK) return Refuse(text, curl_url_strerror(code));
  return Take(url, text);
}

absl::StatusOr<Url> ResolveUrl(const Url& base, absl::string_view reference) {
  const Handle url(curl_url(), curl_url_cleanup);
  CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, base.text.c_str(), 0);
  // Setting a URL over another one resolves it as a relative one.
  if (code == CURLUE_OK) {
    code = curl_url_set(url.get(), CURLUPART_URL, std::string(reference).c_str(), 0);
  }
  if (code != CURLUE_OK) return Refuse(reference, curl_url_strerror(code));
  return Take(url, reference);
}

std::string QueryEscape(absl::string_view text) {
  std::string out;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '.' || c == '_' ||
        c == '~') {
      out.push_back(c);
    } else {
      absl::StrAppend(&out, "%", absl::AsciiStrToUpper(absl::BytesToHexString({&c, 1})));
    }
  }
  return out;
}

std::string WithParameter(std::string url, absl::string_view name, absl::string_view value) {
  absl::StrAppend(&url, absl::StrContains(url, '?') ? "&" : "?", name, "=", QueryEscape(value));
  return url;
}

}  // namespace manyarch::registry
