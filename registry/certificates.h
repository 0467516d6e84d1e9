// PEM texts, looked at before they are needed. Errors are the ends of sentences: "holds …".
#pragma once

#include <string>

#include "absl/status/status.h"

namespace manyarch::registry {

// At least one certificate, and no broken one.
absl::Status CheckCertificates(const std::string& pem);

// That the key is the one of the first certificate, and not encrypted.
absl::Status CheckKeyPair(const std::string& cert_pem, const std::string& key_pem);

}  // namespace manyarch::registry
