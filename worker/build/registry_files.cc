#include "worker/build/registry_files.h"

#include <map>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

// A TOML string.
std::string Quoted(const std::string& text) {
  return absl::StrCat("\"", absl::StrReplaceAll(text, {{"\\", "\\\\"}, {"\"", "\\\""}, {"\n", ""}}),
                      "\"");
}

absl::Status CheckHost(const std::string& host) {
  if (host.empty() || host[0] == '.' || absl::StrContains(host, '/')) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(host), "' cannot be a registry's host"));
  }
  return absl::OkStatus();
}

}  // namespace

std::string RegistriesConf(const v1::RegistryAccess& access) {
  std::map<std::string, v1::RegistryHost> hosts;
  for (const std::string& host : access.plain_http()) hosts[host].set_plain_http(true);
  for (const v1::RegistryHost& host : access.hosts()) hosts[host.host()] = host;
  std::string text = "unqualified-search-registries = [\"docker.io\"]\n";
  for (const auto& [name, host] : hosts) {
    if (!host.plain_http() && host.mirrors().empty()) continue;
    absl::StrAppend(&text, "\n[[registry]]\nlocation = ", Quoted(name), "\n");
    // It means plain http where TLS does not answer.
    if (host.plain_http()) absl::StrAppend(&text, "insecure = true\n");
    for (const v1::RegistryMirror& mirror : host.mirrors()) {
      absl::StrAppend(&text, "[[registry.mirror]]\nlocation = ", Quoted(mirror.location()), "\n",
                      mirror.plain_http() ? "insecure = true\n" : "");
    }
  }
  return text;
}

absl::Status WriteRegistryFiles(const v1::RegistryAccess& access, const WorkPaths& work) {
  // An empty one too: else buildah would use what the worker's user has.
  MA_RETURN_IF_ERROR(
      WriteFileAtomic(work.authfile(), access.authfile().empty() ? "{}" : access.authfile(), 0600));
  MA_RETURN_IF_ERROR(WriteFileAtomic(work.registries_conf(), RegistriesConf(access), 0600));
  for (const v1::RegistryHost& host : access.hosts()) {
    if (host.ca_pem().empty() && host.client_cert_pem().empty()) continue;
    MA_RETURN_IF_ERROR(CheckHost(host.host()));
    const std::string dir = absl::StrCat(work.certificates(), "/", host.host());
    MA_RETURN_IF_ERROR(MakeDirs(dir, 0700));
    if (!host.ca_pem().empty()) {
      MA_RETURN_IF_ERROR(WriteFileAtomic(dir + "/ca.crt", host.ca_pem(), 0600));
    }
    if (!host.client_cert_pem().empty()) {
      MA_RETURN_IF_ERROR(WriteFileAtomic(dir + "/client.cert", host.client_cert_pem(), 0600));
      MA_RETURN_IF_ERROR(WriteFileAtomic(dir + "/client.key", host.client_key_pem(), 0600));
    }
  }
  return absl::OkStatus();
}

}  // namespace manyarch::worker
