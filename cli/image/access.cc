#include "cli/image/access.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/version.h"
#include "common/base/status_macros.h"

namespace manyarch::cli::image {

namespace {

std::string Environment(const char* name) {
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

absl::StatusOr<registry::AuthFile> ReadCredentials(const RegistryFlags& flags) {
  if (!flags.authfile.empty()) return registry::AuthFile::Read(flags.authfile);
  return registry::AuthFile::ReadDefault(Environment);
}

absl::StatusOr<registry::Hosts> ReadHosts(const RegistryFlags& flags) {
  registry::Hosts hosts;
  const std::string file =
      flags.registries.empty() ? Environment("MANYARCH_REGISTRIES") : flags.registries;
  if (!file.empty()) {
    MA_ASSIGN_OR_RETURN(hosts, registry::Hosts::Read(file));
  }
  for (const std::string& host : flags.plain_http) {
    MA_RETURN_IF_ERROR(Annotate(hosts.AllowPlainHttp(host), "--plain-http"));
  }
  return hosts;
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
  MA_ASSIGN_OR_RETURN(options.hosts, ReadHosts(flags));
  MA_ASSIGN_OR_RETURN(access->auth_, ReadCredentials(flags));
  options.auth = access->auth_;
  for (const registry::Reference& reference : references) {
    if (!registry::IsLoopback(reference.registry)) continue;
    const registry::HostSettings* const known = options.hosts.Find(reference.registry);
    if (known != nullptr && (known->plain_http || known->tls != nullptr)) continue;
    if (SpeaksPlainHttp(access->transport_, reference.registry)) {
      MA_RETURN_IF_ERROR(options.hosts.AllowPlainHttp(reference.registry));
    }
  }
  access->limited_ = std::make_unique<registry::LimitedTransport>(
      options.hosts, &access->transport_, &access->waiter_);
  access->client_ = std::make_unique<registry::RegistryClient>(
      std::move(options), access->limited_.get(), &access->waiter_, nullptr);
  return access;
}

std::string RegistryAccess::CredentialsOf(const registry::Reference& reference) const {
  const auto sources = auth_.SourcesFor(reference.registry, reference.repository);
  if (!sources.empty() && sources.front().credentials) return sources.front().file;
  if (!sources.empty()) {
    return absl::StrCat("the credential helper '", sources.front().helper, "', which ",
                        sources.front().file, " names");
  }
  if (auth_.files().empty()) {
    return "nowhere: there is no auth file, so requests are anonymous";
  }
  const std::string files = absl::StrJoin(
      auth_.files(), ", ",
      [](std::string* out, const registry::AuthFile::File& file) { out->append(file.path); });
  return absl::StrCat("nowhere: there are none for ", reference.registry, " in ", files,
                      ", so requests are anonymous");
}

}  // namespace manyarch::cli::image
