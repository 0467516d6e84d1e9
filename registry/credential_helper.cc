#include "registry/credential_helper.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "common/os/subprocess.h"
#include "registry/json.h"

namespace manyarch::registry {

namespace {

constexpr absl::Duration kPatience = absl::Seconds(10);
constexpr size_t kMaxAnswer = 1 << 20;

bool MayBeAName(const std::string& name) {
  return !name.empty() && name[0] != '-' && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || absl::StrContains("._-", c);
  });
}

// The Docker Hub is kept under the address it once had.
std::string AddressOf(absl::string_view registry) {
  return registry == "docker.io" ? "https://index.docker.io/v1/" : std::string(registry);
}

absl::StatusOr<std::string> RunSystemHelper(const std::string& name, const std::string& verb,
                                            const std::string& input) {
  const std::string program = absl::StrCat("docker-credential-", name);
  Command command;
  command.argv = {program, verb};
  RunOptions options;
  options.stdin_bytes = input + "\n";
  options.timeout = kPatience;
  absl::StatusOr<RunResult> started = RunCommand(command, options);
  if (!started.ok()) {
    return absl::FailedPreconditionError(absl::StrCat(
        started.status().message(), ": install it where this program finds it on its PATH"));
  }
  RunResult& run = *started;
  if (run.timed_out) {
    return absl::UnavailableError(
        absl::StrCat(program, " did not answer within ", absl::FormatDuration(kPatience)));
  }
  if (run.ok()) {
    if (run.out.size() <= kMaxAnswer) return std::move(run.out);
    return absl::FailedPreconditionError(absl::StrCat(program, " answers without end"));
  }
  // Errors stand on stdout, by the helpers' protocol; a helper that fails has no secret to show.
  const absl::string_view said = absl::StripAsciiWhitespace(run.out.empty() ? run.err : run.out);
  if (absl::StrContains(said, "credentials not found")) {
    return absl::NotFoundError(absl::StrCat(program, " has no such credentials"));
  }
  return absl::UnavailableError(absl::StrCat(program, " ended with ", ToString(run.exit), ": '",
                                             absl::Utf8SafeCHexEscape(said.substr(0, 300)), "'"));
}

}  // namespace

HelperRunner SystemHelpers() { return RunSystemHelper; }

absl::StatusOr<std::optional<Credentials>> AskHelper(const HelperRunner& run,
                                                     const std::string& name,
                                                     absl::string_view registry) {
  const std::string what =
      absl::StrCat("asking the credential helper '", absl::CHexEscape(name), "' for ", registry);
  if (!MayBeAName(name)) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": that cannot be the name of a program docker-credential-NAME"));
  }
  const absl::StatusOr<std::string> answer = run(name, "get", AddressOf(registry));
  if (absl::IsNotFound(answer.status())) return std::nullopt;
  if (!answer.ok()) return Annotate(answer.status(), what);
  // The parser's words would quote the secret.
  const auto body = ParseObject(*answer, what);
  if (body.ok()) {
    const auto user = OptionalString(*body, "Username", what);
    const auto secret = OptionalString(*body, "Secret", what);
    if (user.ok() && secret.ok() && *secret && !(*secret)->empty()) {
      if (user->value_or("") == "<token>") return Credentials{"<token>", "", **secret};
      return Credentials{user->value_or(""), **secret, ""};
    }
    if (user.ok() && secret.ok()) return std::nullopt;
  }
  return absl::FailedPreconditionError(
      absl::StrCat(what, ": it did not answer with a JSON object that has Username and Secret"));
}

absl::StatusOr<std::vector<std::string>> ListHelper(const HelperRunner& run,
                                                    const std::string& name) {
  const std::string what =
      absl::StrCat("asking the credential helper '", absl::CHexEscape(name), "' what it has");
  if (!MayBeAName(name)) return absl::InvalidArgumentError(what);
  const absl::StatusOr<std::string> answer = run(name, "list", "");
  if (!answer.ok()) return Annotate(answer.status(), what);
  MA_ASSIGN_OR_RETURN(const nlohmann::json body, ParseObject(*answer, what));
  std::vector<std::string> out;
  for (const auto& [address, user] : body.items()) out.push_back(RegistryOfKey(address));
  return out;
}

}  // namespace manyarch::registry
