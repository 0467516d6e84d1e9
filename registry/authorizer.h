#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "registry/challenge.h"
#include "registry/hosts.h"
#include "registry/http.h"
#include "registry/keychain.h"
#include "registry/retry.h"
#include "registry/token_service.h"
#include "registry/url.h"

namespace manyarch::registry {

// Whose rights a request needs.
struct Scope {
  std::string registry;    // "docker.io"
  std::string repository;  // Empty: none in particular.
  bool push = false;
  std::string also_read = "";  // A second repository, which blobs are mounted from.
};

// Sends requests to registries with what they ask for: nothing, Basic, or a Bearer token from the
// realm they name. What a registry asked for is remembered. Credentials go to the registry's own
// host and to its realm, and nowhere else; redirects are followed without them. A client
// certificate is shown where the settings that it stands in are the registry's own. Where a
// registry leads (its realm, its redirects) must not be more private than the registry itself,
// unless that host is configured. Thread-safe. The transport and the waiter must outlive it.
class Authorizer {
 public:
  Authorizer(Hosts hosts, std::shared_ptr<Keychain> keychain, HttpTransport* transport,
             Waiter* waiter);

  // The last answer, whatever its status; redirects of GET and HEAD are followed, and those of
  // other methods within one host. A request with a source is sent once: after a 401 the caller may
  // send it again, with what was learnt. UNAUTHENTICATED: the realm refuses the credentials.
  absl::StatusOr<Response> Send(const Request& request, const Scope& scope,
                                const absl::Notification* stop);

  const Hosts& hosts() const { return hosts_; }
  // What to say to a person whose request was answered with 401 or 403.
  std::string Advice(const Scope& scope, int http_status) const;

 private:
  struct Demand {        // What a registry asked for, last time.
    std::string scheme;  // "basic" or "bearer"
    std::string realm;   // Absolute; bearer only.
    std::string service;
  };
  struct Token {
    std::string text;
    absl::Time renew_at;
  };

  absl::StatusOr<Response> SendOnce(const Request& request, const Scope& scope,
                                    const absl::Notification* stop);
  absl::StatusOr<Response> Follow(Request request, Response response, const Scope& scope,
                                  const absl::Notification* stop);
  bool IsRegistry(const Url& url, const Scope& scope) const;
  // Sends with what is configured for the URL's host, and within the reach of the registry; `own`
  // is what IsRegistry says of the URL.
  absl::StatusOr<Response> Transmit(Request request, const Url& url, bool own, const Scope& scope,
                                    const absl::Notification* stop) ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Demand> KnownDemand(const Scope& scope) ABSL_LOCKS_EXCLUDED(mutex_);
  // The header's value; nullopt where nothing is known or needed.
  absl::StatusOr<std::optional<std::string>> Authorization(const Scope& scope)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // What Basic authentication would show; nullopt: no credentials.
  absl::StatusOr<std::optional<std::string>> Basic(const Scope& scope);
  // Obeys the challenge of a 401. False: there is nothing more that could be shown.
  absl::StatusOr<bool> Learn(const Response& refusal, const Request& request, const Scope& scope,
                             const std::optional<std::string>& shown,
                             const absl::Notification* stop) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status FetchToken(const Demand& demand, const Scope& scope, const Request& like,
                          const absl::Notification* stop) ABSL_LOCKS_EXCLUDED(mutex_);
  // One exchange with the token service, or two where it knows one protocol alone.
  absl::StatusOr<Response> AskRealm(const TokenDemand& demand,
                                    const std::optional<Credentials>& credentials,
                                    const Scope& scope, const Request& like,
                                    const absl::Notification* stop);

  const Hosts hosts_;
  const std::shared_ptr<Keychain> keychain_;
  HttpTransport* const transport_;
  Waiter* const waiter_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Demand> demands_ ABSL_GUARDED_BY(mutex_);  // By registry.
  // Where each registry was found: what it names may be there, too.
  std::map<std::string, AddressKind> kinds_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Token> tokens_ ABSL_GUARDED_BY(mutex_);  // By registry and scope.
};

}  // namespace manyarch::registry
