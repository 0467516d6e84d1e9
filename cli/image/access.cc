#include "cli/image/access.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "cli/version.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::cli::image {

namespace {

std::string Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

// The auth file that podman, buildah and docker would use; empty where there is none.
std::string FindAuthFile(const RegistryFlags& flags) {
  if (!flags.authfile.empty()) return flags.authfile;
  if (std::string file = Environment("REGISTRY_AUTH_FILE"); !file.empty()) return file;
  if (const std::string dir = Environment("DOCKER_CONFIG"); !dir.empty()) {
    return dir + "/config.json";
  }
  for (const std::string& candidate : {Environment("XDG_RUNTIME_DIR") + "/containers/auth.json",
                                       Environment("HOME") + "/.docker/config.json"}) {
    if (PathExists(candidate)) return candidate;
  }
  return "";
}

// Asked without credentials. A server that wants TLS answers 400, or not at all.
bool SpeaksPlainHttp(registry::HttpTransport& transport, const std::string& registry) {
  registry::Request request;
  request.url = absl::StrCat("http://", registry, "/v2/");
  request.connect_timeout = absl::Seconds(2);
  request.timeout = absl::Seconds(5);
  const auto response = transport.Send(request, nullptr);
  return response.ok() && response->status != 400;
}

}  // namespace

RegistryAccess::RegistryAccess() : transport_(absl::StrCat("manyarch/", kVersion)) {}

absl::StatusOr<std::unique_ptr<RegistryAccess>> RegistryAccess::Open(
    const RegistryFlags& flags, const std::vector<registry::Reference>& references,
    absl::Duration patience) {
  std::unique_ptr<RegistryAccess> access(new RegistryAccess());
  registry::ClientOptions options;
  options.budget = RetryBudget{patience};
  options.hosts = registry::Hosts::PlainHttp(flags.plain_http);
  access->auth_path_ = FindAuthFile(flags);
  if (!access->auth_path_.empty()) {
    MA_ASSIGN_OR_RETURN(access->auth_, registry::AuthFile::Read(access->auth_path_));
    options.auth = access->auth_;
  }
  for (const registry::Reference& reference : references) {
    if (!registry::IsLoopback(reference.registry)) continue;
    if (options.hosts.AllowsPlainHttp(reference.registry)) continue;
    if (SpeaksPlainHttp(access->transport_, reference.registry)) {
      options.hosts.AllowPlainHttp(reference.registry);
    }
  }
  access->client_ = std::make_unique<registry::RegistryClient>(
      std::move(options), &access->transport_, &access->waiter_, nullptr);
  return access;
}

std::string RegistryAccess::CredentialsOf(const registry::Reference& reference) const {
  if (auth_path_.empty()) return "nowhere: there is no auth file, so requests are anonymous";
  if (auth_.Find(reference.registry, reference.repository)) return auth_path_;
  for (const auto& source : auth_.SourcesFor(reference.registry, reference.repository)) {
    if (source.helper.empty()) continue;
    return absl::StrCat("the credential helper '", source.helper, "', which ", auth_path_,
                        " names");
  }
  return absl::StrCat("nowhere: ", auth_path_, " has none for ", reference.registry,
                      ", so requests are anonymous");
}

}  // namespace manyarch::cli::image
