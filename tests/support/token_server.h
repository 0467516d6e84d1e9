// A registry's token realm: real tokens for users with rights, over HTTP.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "tests/support/faults.h"
#include "tests/support/http_server.h"
#include "tests/support/signed_token.h"

namespace manyarch::testing {

struct TokenRight {
  std::string repository;         // "team/app"; "*" is any.
  std::set<std::string> actions;  // "pull", "push"
};

struct TokenUser {
  std::string password;
  std::string refresh_token;  // Empty: has none.
  std::vector<TokenRight> rights;
};

struct TokenServerOptions {
  std::string service = "strict-registry";
  std::string issuer = "manyarch-test";
  std::map<std::string, TokenUser> users;
  std::vector<TokenRight> anonymous;
  std::string key = "token";  // Or "access_token".
  absl::Duration lifetime = absl::Seconds(60);
  std::optional<int> says_expires_in;  // Left out where absent.
  bool takes_refresh_tokens = true;    // Else POST is 404.
  FaultOptions faults;
  std::function<absl::Time()> clock = absl::Now;
};

struct TokenClaims {
  std::string subject;
  std::vector<TokenRight> granted;
  bool Allows(const std::string& repository, const std::string& action) const;
};

// Thread-safe.
class TokenServer {
 public:
  explicit TokenServer(TokenServerOptions options);

  // "http://127.0.0.1:PORT/token"
  std::string realm() const { return "http://" + server_->host() + "/token"; }
  const std::string& service() const { return options_.service; }
  const std::string& issuer() const { return options_.issuer; }
  const std::string& certificate_pem() const { return signer_.certificate_pem(); }

  // For a registry that has the realm at its own address.
  HttpAnswer Answer(const HttpRequest& request);
  // What a token of this server allows; nullopt: not one of ours, or expired.
  std::optional<TokenClaims> Verify(const std::string& token) const;
  // All requests so far.
  std::vector<HttpRequest> Requests() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  HttpAnswer Grant(const HttpRequest& request) const;

  const TokenServerOptions options_;
  const TokenSigner signer_;
  FaultDice dice_;
  mutable absl::Mutex mutex_;
  std::vector<HttpRequest> requests_ ABSL_GUARDED_BY(mutex_);
  std::unique_ptr<HttpServer> server_;
};

}  // namespace manyarch::testing
