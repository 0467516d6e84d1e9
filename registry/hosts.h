// How each registry is spoken to: one configuration for a whole process, and for what it hands to
// workers. The file is described in docs/registries.md.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/http.h"

namespace manyarch::registry {

// A place that has copies of a registry's images.
struct Mirror {
  std::string location;  // host[:port][/path]
  bool plain_http = false;
};

struct HostSettings {
  bool plain_http = false;
  std::shared_ptr<const TlsSettings> tls;  // Null: the system's authorities, no certificate.
  std::vector<Mirror> mirrors;             // Asked first, in order, for what builds pull.
  int concurrency = 0;                     // Requests at one time; 0: 8.
  double requests_per_second = 0;          // 0: as DefaultRate says.
};

// Requests a second that a registry is known to bear; 0: no limit is known.
double DefaultRate(absl::string_view registry);

// By registry: "host" means the host on every port, "host:port" that port alone and wins; the
// Docker Hub is "docker.io". A value.
class Hosts {
 public:
  Hosts() = default;
  // These are spoken to without TLS, and nothing else is known.
  static Hosts PlainHttp(const std::vector<std::string>& hosts);

  // A registries file. Relative paths in it lead on from its directory. Unknown keys are refused;
  // every error names file, host and key.
  static absl::StatusOr<Hosts> Read(const std::string& path);
  // `what` stands for the file in errors, `directory` is where relative paths lead on from.
  static absl::StatusOr<Hosts> Parse(absl::string_view text, absl::string_view what,
                                     const std::string& directory);

  // From now on the host is spoken to without TLS; what else is known of it stays.
  // INVALID_ARGUMENT: it has certificates, which would never be looked at.
  absl::Status AllowPlainHttp(absl::string_view host);

  // Of a registry, or of the "host:port" of a URL; null: nothing is configured.
  const HostSettings* Find(absl::string_view registry) const;
  bool AllowsPlainHttp(absl::string_view registry) const;
  // "http://host:port" or "https://host:port", of the host that serves the API.
  std::string BaseUrl(absl::string_view registry) const;
  // For what a registry names on another host: the host's own authorities, and its client
  // certificate only where the registry's settings are the same ones.
  std::shared_ptr<const TlsSettings> TlsFor(absl::string_view host,
                                            absl::string_view registry) const;

  // All that is configured.
  const std::map<std::string, HostSettings>& all() const { return hosts_; }

 private:
  std::map<std::string, HostSettings> hosts_;
};

}  // namespace manyarch::registry
