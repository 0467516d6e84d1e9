// JSON web tokens signed with ES256, as docker-registry takes them: the certificate is in the head.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace manyarch::testing {

// A key pair of its own and a certificate over it. Thread-safe.
class TokenSigner {
 public:
  TokenSigner();
  ~TokenSigner();
  TokenSigner(const TokenSigner&) = delete;
  TokenSigner& operator=(const TokenSigner&) = delete;

  // For "rootcertbundle".
  const std::string& certificate_pem() const;
  // `claims` is JSON.
  std::string Sign(absl::string_view claims) const;
  // The claims of a token of this signer; nullopt for any other text.
  std::optional<std::string> Open(absl::string_view token) const;

 private:
  struct Keys;
  std::unique_ptr<Keys> keys_;
};

}  // namespace manyarch::testing
