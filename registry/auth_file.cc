#include "registry/auth_file.h"

#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
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
  MA_ASSIGN_OR_RETURN(std::optional<std::string> token,
                      OptionalString(entry, "identitytoken", what));
  Credentials out{user.value_or(""), secret.value_or(""), token.value_or("")};
  if (!auth || auth->empty()) {
    if (out.user.empty() && out.identity_token.empty()) return std::nullopt;
    return out;
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
  return Credentials{decoded.substr(0, colon), decoded.substr(colon + 1), out.identity_token};
}

}  // namespace

std::string RegistryOfKey(absl::string_view key) {
  const std::string normal = NormalKey(key);
  return normal.substr(0, normal.find('/'));
}

absl::StatusOr<AuthFile> AuthFile::Parse(absl::string_view text) {
  File file;
  AuthFile out;
  if (absl::StripAsciiWhitespace(text).empty()) {
    out.files_.push_back(std::move(file));
    return out;
  }
  auto body = ParseObject(text, kWhat);
  // Not the parser's words: they would quote the file.
  if (!body.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(
        kWhat, " is not a JSON object without duplicate keys: write it with 'buildah login'"));
  }
  for (const char* key : {"auths", "credHelpers"}) {
    const auto member = body->find(key);
    if (member != body->end() && !member->is_null() && !member->is_object()) {
      return absl::InvalidArgumentError(absl::StrCat(kWhat, ": \"", key, "\" is not an object"));
    }
  }
  if (const auto auths = body->find("auths"); auths != body->end()) {
    for (const auto& [key, entry] : auths->items()) {
      MA_ASSIGN_OR_RETURN(std::optional<Credentials> credentials, ParseEntry(entry, key));
      if (credentials) file.entries[NormalKey(key)] = *std::move(credentials);
    }
  }
  if (const auto helpers = body->find("credHelpers"); helpers != body->end()) {
    for (const auto& [key, helper] : helpers->items()) {
      if (!helper.is_string()) {
        return absl::InvalidArgumentError(absl::StrCat(kWhat, ": the credential helper of '",
                                                       absl::CHexEscape(key), "' is not a string"));
      }
      file.helpers[RegistryOfKey(key)] = helper.get<std::string>();
    }
  }
  MA_ASSIGN_OR_RETURN(const std::optional<std::string> store,
                      OptionalString(*body, "credsStore", kWhat));
  file.store = store.value_or("");
  out.files_.push_back(std::move(file));
  return out;
}

absl::StatusOr<AuthFile> AuthFile::Read(const std::string& path) {
  const absl::StatusOr<std::string> text = ReadFile(path);
  if (!text.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot read the registry auth file: ", text.status().message(),
                     "; check the path and its permissions"));
  }
  auto parsed = Parse(*text);
  if (!parsed.ok()) return Annotate(parsed.status(), absl::StrCat("reading '", path, "'"));
  for (File& file : parsed->files_) file.path = path;
  return parsed;
}

absl::StatusOr<AuthFile> AuthFile::ReadDefault(
    const std::function<std::string(const char*)>& environment) {
  if (const std::string path = environment("REGISTRY_AUTH_FILE"); !path.empty()) return Read(path);
  const std::string home = environment("HOME");
  std::vector<std::string> paths;
  if (const std::string dir = environment("XDG_RUNTIME_DIR"); !dir.empty()) {
    paths.push_back(dir + "/containers/auth.json");
  } else {
    paths.push_back(absl::StrCat("/run/containers/", getuid(), "/auth.json"));
  }
  if (const std::string dir = environment("XDG_CONFIG_HOME"); !dir.empty()) {
    paths.push_back(dir + "/containers/auth.json");
  } else if (!home.empty()) {
    paths.push_back(home + "/.config/containers/auth.json");
  }
  if (const std::string dir = environment("DOCKER_CONFIG"); !dir.empty()) {
    paths.push_back(dir + "/config.json");
  } else if (!home.empty()) {
    paths.push_back(home + "/.docker/config.json");
  }
  AuthFile all;
  for (const std::string& path : paths) {
    if (!PathExists(path)) continue;
    MA_ASSIGN_OR_RETURN(const AuthFile file, Read(path));
    all.Append(file);
  }
  return all;
}

void AuthFile::Append(const AuthFile& other) {
  files_.insert(files_.end(), other.files_.begin(), other.files_.end());
}

const Credentials* AuthFile::FindIn(const File& file, absl::string_view registry,
                                    absl::string_view repository) {
  std::string key = NormalKey(registry);
  if (!repository.empty()) absl::StrAppend(&key, "/", repository);
  while (true) {
    if (const auto entry = file.entries.find(key); entry != file.entries.end()) {
      return &entry->second;
    }
    const size_t slash = key.rfind('/');
    if (slash == std::string::npos) return nullptr;
    key.resize(slash);
  }
}

std::vector<CredentialSource> AuthFile::SourcesFor(absl::string_view registry,
                                                   absl::string_view repository) const {
  std::vector<CredentialSource> out;
  for (const File& file : files_) {
    const auto helper = file.helpers.find(NormalKey(registry));
    if (helper != file.helpers.end()) {
      out.push_back({std::nullopt, helper->second, file.path});
      continue;
    }
    if (const Credentials* found = FindIn(file, registry, repository)) {
      out.push_back({*found, "", file.path});
    }
    if (!file.store.empty()) out.push_back({std::nullopt, file.store, file.path});
  }
  return out;
}

std::map<std::string, Credentials> AuthFile::Entries() const {
  std::map<std::string, Credentials> out;
  for (const File& file : files_) out.insert(file.entries.begin(), file.entries.end());
  return out;
}

std::map<std::string, std::string> AuthFile::Helpers() const {
  std::map<std::string, std::string> out;
  for (const File& file : files_) out.insert(file.helpers.begin(), file.helpers.end());
  return out;
}

std::set<std::string> AuthFile::Stores() const {
  std::set<std::string> out;
  for (const File& file : files_) {
    if (!file.store.empty()) out.insert(file.store);
  }
  return out;
}

std::string WriteAuthFile(const std::map<std::string, Credentials>& entries) {
  json auths = json::object();
  for (const auto& [key, credentials] : entries) {
    json& entry = auths[key == "docker.io" ? "https://index.docker.io/v1/" : key];
    // buildah passes over an identity token that has no user beside it.
    const std::string user = credentials.user.empty() ? "<token>" : credentials.user;
    entry["auth"] = absl::Base64Escape(absl::StrCat(user, ":", credentials.password));
    if (!credentials.identity_token.empty()) entry["identitytoken"] = credentials.identity_token;
  }
  return json{{"auths", auths}}.dump();
}

}  // namespace manyarch::registry
