#include "registry/api_error.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "registry/json.h"
#include "registry/retry.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

constexpr size_t kMaxErrors = 10;
constexpr size_t kMaxText = 1000;

// UTF-8 stays readable, control characters do not reach a terminal.
std::string Clean(absl::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxText)) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) {
      out.push_back(' ');
    } else {
      out.push_back(c);
    }
  }
  if (text.size() > kMaxText) out += "…";
  return out;
}

std::string TextOf(const json& object, const char* key) {
  const auto member = object.find(key);
  if (member == object.end() || member->is_null()) return "";
  if (member->is_string()) return Clean(member->get_ref<const std::string&>());
  return Clean(member->dump(-1, ' ', false, json::error_handler_t::replace));
}

}  // namespace

std::vector<ApiError> ParseApiErrors(absl::string_view body) {
  std::vector<ApiError> out;
  const auto parsed = ParseObject(body, "the answer");
  if (!parsed.ok()) return out;
  const auto errors = parsed->find("errors");
  if (errors == parsed->end() || !errors->is_array()) return out;
  for (const json& error : *errors) {
    if (!error.is_object() || out.size() == kMaxErrors) continue;
    out.push_back({TextOf(error, "code"), TextOf(error, "message"), TextOf(error, "detail")});
  }
  return out;
}

std::string DescribeAnswer(const Response& response) {
  std::string out = response.StatusText();
  const std::vector<ApiError> errors = ParseApiErrors(response.body);
  if (!errors.empty()) {
    return absl::StrCat(
        out, ": ", absl::StrJoin(errors, "; ", [](std::string* to, const ApiError& e) {
          absl::StrAppend(to, e.code, e.code.empty() || e.message.empty() ? "" : ": ", e.message);
          if (!e.detail.empty()) absl::StrAppend(to, " (detail: ", e.detail, ")");
        }));
  }
  const absl::string_view body = absl::StripAsciiWhitespace(response.body);
  if (!body.empty()) {
    absl::StrAppend(&out, ": '", absl::Utf8SafeCHexEscape(body.substr(0, 300)), "'");
  }
  return out;
}

absl::StatusCode CodeOf(int http_status) {
  if (IsRetriableStatus(http_status)) return absl::StatusCode::kUnavailable;
  switch (http_status) {
    case 400:
      return absl::StatusCode::kInvalidArgument;
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 415:
      return absl::StatusCode::kUnimplemented;
    default:
      return absl::StatusCode::kFailedPrecondition;
  }
}

}  // namespace manyarch::registry
