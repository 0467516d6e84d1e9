#include "registry/certificates.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace manyarch::registry {

namespace {

using Bio = std::unique_ptr<BIO, decltype(&BIO_free)>;
using Certificate = std::unique_ptr<X509, decltype(&X509_free)>;
using Key = std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)>;

Bio Open(const std::string& pem) {
  return {BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())), BIO_free};
}

Certificate ReadCertificate(BIO* from) {
  return {PEM_read_bio_X509(from, nullptr, nullptr, nullptr), X509_free};
}

// Nobody is asked for a password.
int NoPassword(char*, int, int, void*) { return -1; }

}  // namespace

absl::Status CheckCertificates(const std::string& pem) {
  const Bio bio = Open(pem);
  int count = 0;
  while (ReadCertificate(bio.get()) != nullptr) ++count;
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  ERR_clear_error();
  if (!at_end) return absl::InvalidArgumentError("holds a certificate that cannot be read");
  if (count == 0) return absl::InvalidArgumentError("holds no certificate");
  return absl::OkStatus();
}

absl::Status CheckKeyPair(const std::string& cert_pem, const std::string& key_pem) {
  const Bio cert_bio = Open(cert_pem);
  const Certificate certificate = ReadCertificate(cert_bio.get());
  const Bio key_bio = Open(key_pem);
  const Key key(PEM_read_bio_PrivateKey(key_bio.get(), nullptr, NoPassword, nullptr),
                EVP_PKEY_free);
  const bool fits = certificate != nullptr && key != nullptr &&
                    X509_check_private_key(certificate.get(), key.get()) == 1;
  ERR_clear_error();
  if (certificate == nullptr) {
    return absl::InvalidArgumentError("holds no certificate that can be read");
  }
  if (key == nullptr) {
    return absl::InvalidArgumentError(
        "goes with a key that cannot be read: it must be a private key in PEM, without a password");
  }
  if (!fits) return absl::InvalidArgumentError("does not belong to the key in \"client_key\"");
  return absl::OkStatus();
}

}  // namespace manyarch::registry
