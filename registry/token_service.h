// The token protocols of registries: what is asked of a realm, and what it answers. Pure.
// https://distribution.github.io/distribution/spec/auth/token/ and …/oauth/
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "registry/auth_file.h"
#include "registry/http.h"

namespace manyarch::registry {

struct TokenDemand {
  std::string realm;  // Absolute.
  std::string service;
  std::vector<std::string> scopes;  // "repository:team/app:pull,push"
};

// "Basic …"
std::string BasicHeader(const Credentials& credentials);

// GET with Basic authentication, where there are credentials.
Request TokenRequest(const TokenDemand& demand, const std::optional<Credentials>& credentials);
// POST of an identity token, as OAuth 2 has it. A realm that answers 404 or 405 knows GET alone.
Request RefreshRequest(const TokenDemand& demand, const std::string& identity_token);

struct IssuedToken {
  std::string text;
  absl::Duration lifetime;
};
// nullopt: the answer holds no usable token.
std::optional<IssuedToken> ParseToken(absl::string_view text);

}  // namespace manyarch::registry
