#include "cli/commands/secrets.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <set>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "common/base/build_values.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "registry/auth_file.h"

namespace manyarch::cli {

namespace {

absl::Status Invalid(absl::string_view text) { return absl::InvalidArgumentError(text); }

absl::Status SetField(const std::string& flag, absl::string_view key, absl::string_view value,
                      SecretSource& source, std::string& type) {
  if (key == "id") {
    source.id = std::string(value);
  } else if (key == "src" || key == "source") {
    source.file = std::string(value);
  } else if (key == "env") {
    source.env = std::string(value);
  } else if (key == "type" && (value == "file" || value == "env")) {
    type = std::string(value);
  } else {
    return Invalid(absl::StrCat(flag, ": '", key, "=", value,
                                "' is not understood: write id=ID,src=FILE or id=ID,env=NAME"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> ReadValue(const std::string& flag, const std::string& path) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    return Invalid(absl::StrCat(flag, ": reading ", path, ": ", std::strerror(errno)));
  }
  if (S_ISSOCK(info.st_mode)) {
    return Invalid(absl::StrCat(flag, ": ", path,
                                " is a socket: an agent cannot be forwarded to the workers; give "
                                "the file of a private key, as ID=FILE"));
  }
  if (S_ISDIR(info.st_mode)) {
    return Invalid(absl::StrCat(flag, ": ", path, " is a directory, not a file"));
  }
  if (info.st_size > static_cast<off_t>(kLargestSecret)) {
    return Invalid(absl::StrCat(flag, ": ", path, " has ", info.st_size, " bytes, at most ",
                                kLargestSecret, " are allowed"));
  }
  absl::StatusOr<std::string> value = ReadFile(path);
  if (!value.ok()) return Invalid(absl::StrCat(flag, ": ", value.status().message()));
  return value;
}

// One of the values that were asked for, each under its own id.
absl::Status Add(const std::string& flag, const std::string& id, std::string value,
                 std::vector<v1::Secret>& to) {
  for (const v1::Secret& known : to) {
    if (known.id() == id) return Invalid(absl::StrCat(flag, ": the id '", id, "' is given twice"));
  }
  if (value.size() > kLargestSecret) {
    return Invalid(absl::StrCat(flag, ": the value of '", id, "' has ", value.size(),
                                " bytes, at most ", kLargestSecret, " are allowed"));
  }
  v1::Secret& secret = to.emplace_back();
  secret.set_id(id);
  secret.set_value(std::move(value));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SecretSource> ParseSecret(const std::string& text, const GetEnv& getenv) {
  SecretSource source;
  std::string type;
  for (absl::string_view field : absl::StrSplit(text, ',')) {
    const std::pair<absl::string_view, absl::string_view> pair =
        absl::StrSplit(field, absl::MaxSplits('=', 1));
    MA_RETURN_IF_ERROR(SetField("--secret", pair.first, pair.second, source, type));
  }
  if (source.id.empty()) {
    return Invalid(absl::StrCat("--secret '", text, "' has no id: write id=ID,src=FILE"));
  }
  MA_RETURN_IF_ERROR(Annotate(CheckSecretId("secret", source.id), "--secret"));
  // As buildx has it: with type=env, src is the variable's name.
  if (type == "env" && source.env.empty()) source.env.swap(source.file);
  if (!source.file.empty() && !source.env.empty()) {
    return Invalid(absl::StrCat("--secret '", text, "' names a file and a variable: give one"));
  }
  if (source.file.empty() && source.env.empty()) {
    const bool is_env = type == "env" || (type.empty() && getenv(source.id.c_str()) != nullptr);
    (is_env ? source.env : source.file) = source.id;
  }
  return source;
}

absl::StatusOr<SecretSource> ParseSsh(const std::string& text) {
  const size_t equals = text.find('=');
  SecretSource source;
  source.id = text.substr(0, equals);
  if (equals != std::string::npos) source.file = text.substr(equals + 1);
  MA_RETURN_IF_ERROR(Annotate(CheckSecretId("ssh key", source.id), "--ssh"));
  if (source.file.empty()) {
    return Invalid(
        absl::StrCat("--ssh '", text,
                     "' means the agent of this machine, which the workers cannot reach: give "
                     "the file of a private key, as ",
                     source.id, "=FILE"));
  }
  if (absl::StrContains(source.file, ',')) {
    return Invalid(absl::StrCat("--ssh '", text,
                                "' names several keys: give each an id and a --ssh of its own"));
  }
  return source;
}

absl::StatusOr<std::vector<v1::Secret>> ReadSecrets(const std::vector<std::string>& flags,
                                                    const GetEnv& getenv) {
  std::vector<v1::Secret> secrets;
  for (const std::string& text : flags) {
    MA_ASSIGN_OR_RETURN(const SecretSource source, ParseSecret(text, getenv));
    std::string value;
    if (source.env.empty()) {
      MA_ASSIGN_OR_RETURN(value, ReadValue("--secret", source.file));
    } else if (const char* set = getenv(source.env.c_str()); set != nullptr) {
      value = set;
    } else {
      return Invalid(absl::StrCat("--secret '", text, "': the environment has no ", source.env));
    }
    MA_RETURN_IF_ERROR(Add("--secret", source.id, std::move(value), secrets));
  }
  return secrets;
}

absl::StatusOr<std::vector<v1::Secret>> ReadSshKeys(const std::vector<std::string>& flags) {
  std::vector<v1::Secret> keys;
  for (const std::string& text : flags) {
    MA_ASSIGN_OR_RETURN(const SecretSource source, ParseSsh(text));
    MA_ASSIGN_OR_RETURN(std::string value, ReadValue("--ssh", source.file));
    if (!absl::StrContains(value, "PRIVATE KEY-----")) {
      return Invalid(absl::StrCat("--ssh: ", source.file,
                                  " is not a private key: give the file that ssh -i would take"));
    }
    MA_RETURN_IF_ERROR(Add("--ssh", source.id, std::move(value), keys));
  }
  return keys;
}

absl::StatusOr<std::string> ReadJobAuthfile(const std::string& path) {
  if (path.empty()) return "";
  MA_ASSIGN_OR_RETURN(const std::string text, ReadValue("--authfile", path));
  const auto file = registry::AuthFile::Parse(text);
  if (!file.ok()) {
    return Annotate(file.status(), absl::StrCat("--authfile: reading '", path, "'"));
  }
  std::set<std::string> helpers = file->Stores();
  for (const auto& [host, helper] : file->Helpers()) helpers.insert(helper);
  constexpr absl::string_view kRemedy = "`buildah login --authfile FILE REGISTRY` writes one";
  if (!helpers.empty()) {
    return Invalid(absl::StrCat("--authfile: ", path, " names credential helpers (",
                                absl::StrJoin(helpers, ", "),
                                "), which the farm's machines cannot ask: give a file that has the "
                                "credentials themselves; ",
                                kRemedy));
  }
  if (file->Entries().empty()) {
    return Invalid(absl::StrCat("--authfile: ", path, " has no credentials in it; ", kRemedy));
  }
  return registry::WriteAuthFile(file->Entries());
}

}  // namespace manyarch::cli
