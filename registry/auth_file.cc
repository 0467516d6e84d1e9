#include "registry/auth_file.h"

#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "registry/json.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

constexpr absl::string_view kWhat = "the auth file";

// "https://index.docker.io/v1/" → "docker.io", "host/team/" → "host/team".
std::string NormalKey(absl::string_view key) {
  for (const absl::string_view scheme : {"https://", "http://"}) absl::ConsumePrefix(&key, scheme);
  while (absl::EndsWith(key, "/")) key.remove_suffix(1);
  const size_t slash = key.find('/');
  std::string host = absl::AsciiStrToLower(key.substr(0, slash));
  std::string path(slash == absl::string_view::npos ? "" : key.substr(slash));
  if (path == "/v1" || path == "/v2") path.clear();
  if (host == "index.docker.io" || host == "registry-1.docker.io") host = "docker.io";
  return host + path;
}

absl::StatusOr<std::optional<Credentials>> ParseEntry(const json& entry, absl::string_view key) {
  const std::string what = absl::StrCat(kWhat, "'s entry for '", absl::CHexEscape(key), "'");
  if (!entry.is_object()) return absl::InvalidArgumentError(what + " is not an object");
  MA_ASSIGN_OR_RETURN(std::optional<std::string> auth, OptionalString(entry, "auth", what));
  MA_ASSIGN_OR_RETURN(std::optional<std::string> user, OptionalString(entry, "username", what));
  MA_ASSIGN_OR_RETURN(std::optional<std::string> secret, OptionalString(entry, "password", what));
  if (!auth || auth->empty()) {
    if (!user || user->empty()) return std::nullopt;
    return Credentials{*user, secret.value_or("")};
  }
  std::string decoded;
  if (!absl::Base64Unescape(*auth, &decoded)) {
    return absl::InvalidArgumentError(what + ": \"auth\" is not base64");
  }
  while (!decoded.empty() && decoded.back() == '\0') decoded.pop_back();  // As docker does.
  const size_t colon = decoded.find(':');
  if (colon == std::string::npos || colon == 0) {
    return absl::InvalidArgumentError(what + ": \"auth\" is not base64 of user:password");
  }
  return Credentials{decoded.substr(0, colon), decoded.substr(colon + 1)};
}

}  // namespace

absl::StatusOr<AuthFile> AuthFile::Parse(absl::string_view text) {
  AuthFile out;
  if (absl::StripAsciiWhitespace(text).empty()) return out;
  auto body = ParseObject(text, kWhat);
  // Not the parser's words: they would quote the file.
  if (!body.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        kWhat, " is not a JSON object without duplicate keys: write it with 'buildah login'"));
  }
  if (const auto auths = body->find("auths"); auths != body->end() && !auths->is_null()) {
    if (!auths->is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(kWhat, ": \"auths\" is not an object"));
    }
    for (const auto& [key, entry] : auths->items()) {
      MA_ASSIGN_OR_RETURN(std::optional<Credentials> credentials, ParseEntry(entry, key));
      if (credentials) out.entries_[NormalKey(key)] = *std::move(credentials);
      if (const auto token = entry.find("identitytoken"); token != entry.end() && !credentials) {
        out.unsupported_[NormalKey(key)] = "an identity token";
      }
    }
  }
  if (const auto helpers = body->find("credHelpers");
      helpers != body->end() && helpers->is_object()) {
    for (const auto& [key, helper] : helpers->items()) {
      if (!helper.is_string()) continue;
      out.unsupported_[NormalKey(key)] =
          absl::StrCat("the credential helper '", absl::CHexEscape(helper.get<std::string>()), "'");
    }
  }
  if (const auto store = body->find("credsStore");
      store != body->end() && store->is_string() && !store->get<std::string>().empty()) {
    out.unsupported_["*"] =
        absl::StrCat("the credential store '", absl::CHexEscape(store->get<std::string>()), "'");
  }
  return out;
}

absl::StatusOr<AuthFile> AuthFile::Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  // An empty file makes `<<` fail although it could be read.
  if (!file || file.bad()) {
    return absl::FailedPreconditionError(absl::StrCat("cannot read the registry auth file '", path,
                                                      "': ", std::strerror(errno),
                                                      "; check the path and its permissions"));
  }
  auto parsed = Parse(text.str());
  if (!parsed.ok()) return Annotate(parsed.status(), absl::StrCat("reading '", path, "'"));
  return parsed;
}

std::optional<Credentials> AuthFile::Find(absl::string_view registry,
                                          absl::string_view repository) const {
  std::string key = NormalKey(registry);
  if (!repository.empty()) absl::StrAppend(&key, "/", repository);
  while (true) {
    if (const auto entry = entries_.find(key); entry != entries_.end()) return entry->second;
    const size_t slash = key.rfind('/');
    if (slash == std::string::npos) return std::nullopt;
    key.resize(slash);
  }
}

std::string AuthFile::Unsupported(absl::string_view registry) const {
  auto entry = unsupported_.find(NormalKey(registry));
  if (entry == unsupported_.end()) entry = unsupported_.find("*");
  if (entry == unsupported_.end()) return "";
  return absl::StrCat("the auth file leaves the credentials of ", registry, " to ", entry->second,
                      ", which manyarch does not ask");
}

}  // namespace manyarch::registry
