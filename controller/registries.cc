#include "controller/registries.h"

#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"
#include "registry/auth_file.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller {

namespace {

// More often than helpers' answers are forgotten.
constexpr absl::Duration kRefreshInterval = absl::Minutes(4);

v1::RegistryHost ToProto(const std::string& host, const registry::HostSettings& settings) {
  v1::RegistryHost out;
  out.set_host(host);
  out.set_plain_http(settings.plain_http);
  if (settings.tls != nullptr) {
    out.set_ca_pem(settings.tls->ca_pem);
    out.set_client_cert_pem(settings.tls->client_cert_pem);
    out.set_client_key_pem(settings.tls->client_key_pem);
  }
  for (const registry::Mirror& mirror : settings.mirrors) {
    v1::RegistryMirror& added = *out.add_mirrors();
    added.set_location(mirror.location);
    added.set_plain_http(mirror.plain_http);
  }
  return out;
}

// A service does not take up what whoever started it was logged in with, unless it is told so.
std::string AuthFilePath(const Options& options) {
  if (!options.registry_authfile.empty()) return options.registry_authfile;
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here changes the environment.
  const char* const file = std::getenv("REGISTRY_AUTH_FILE");
  if (file != nullptr && *file != '\0') return file;
  const char* const docker = std::getenv("DOCKER_CONFIG");
  if (docker != nullptr && *docker != '\0') return absl::StrCat(docker, "/config.json");
  // NOLINTEND(concurrency-mt-unsafe)
  return "";
}

void WarnUnless(const absl::Status& status) {
  if (!status.ok()) spdlog::warn("registry credentials: {}", std::string(status.message()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<Registries>> Registries::Read(const Options& options,
                                                             registry::Waiter* waiter) {
  std::unique_ptr<Registries> out(new Registries());
  if (!options.registries.empty()) {
    MA_ASSIGN_OR_RETURN(out->client_.hosts, registry::Hosts::Read(options.registries));
  }
  for (const std::string& host : options.plain_http) {
    MA_RETURN_IF_ERROR(Annotate(out->client_.hosts.AllowPlainHttp(host), "--plain-http"));
  }
  if (const std::string path = AuthFilePath(options); !path.empty()) {
    MA_ASSIGN_OR_RETURN(out->client_.auth, registry::AuthFile::Read(path));
  }
  out->keychain_ = std::make_shared<registry::Keychain>(out->client_.auth, waiter);
  out->client_.keychain = out->keychain_;
  if (out->keychain_->has_helpers()) {
    WarnUnless(out->keychain_->Refresh());
    out->refresher_ = std::thread([self = out.get()] { self->KeepFresh(); });
  }
  return out;
}

Registries::~Registries() {
  stop_.Notify();
  if (refresher_.joinable()) refresher_.join();
}

void Registries::KeepFresh() {
  while (!stop_.WaitForNotificationWithTimeout(kRefreshInterval)) {
    WarnUnless(keychain_->Refresh(&stop_));
  }
}

v1::RegistryAccess Registries::AccessFor(const std::string& repository) const {
  v1::RegistryAccess access;
  const size_t slash = repository.find('/');
  const std::string destination = repository.substr(0, slash);
  access.set_authfile(keychain_->AuthFileFor(
      destination, slash == std::string::npos ? "" : repository.substr(slash + 1)));
  bool told = false;
  for (const auto& [host, settings] : hosts().all()) {
    *access.add_hosts() = ToProto(host, settings);
    if (settings.plain_http) access.add_plain_http(host);
    told = told || host == destination;
  }
  // buildah knows no hosts on every port: the one that is pushed to is spelled out.
  const registry::HostSettings* const settings = hosts().Find(destination);
  if (!told && settings != nullptr) {
    *access.add_hosts() = ToProto(destination, *settings);
    if (settings->plain_http) access.add_plain_http(destination);
  }
  return access;
}

}  // namespace manyarch::controller
