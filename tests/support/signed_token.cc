#include "tests/support/signed_token.h"

#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace manyarch::testing {

namespace {

constexpr int kHalf = 32;  // r and s of P-256.

std::string PemOf(X509* certificate) {
  BIO* const memory = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(memory, certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  std::string pem(data, static_cast<size_t>(size));
  BIO_free(memory);
  return pem;
}

std::string DerOf(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  std::string out(reinterpret_cast<char*>(der), static_cast<size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

struct TokenSigner::Keys {
  EVP_PKEY* pair = nullptr;
  X509* certificate = nullptr;
  std::string pem;
  std::string head;  // Encoded.
};

TokenSigner::TokenSigner() : keys_(std::make_unique<Keys>()) {
  keys_->pair = EVP_EC_gen("P-256");
  X509* const certificate = keys_->certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 24 * 3600);
  X509_set_pubkey(certificate, keys_->pair);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>("manyarch test tokens"), -1, -1,
                             0);
  X509_set_issuer_name(certificate, name);
  X509_sign(certificate, keys_->pair, EVP_sha256());
  keys_->pem = PemOf(certificate);
  keys_->head = absl::WebSafeBase64Escape(absl::StrCat(
      R"({"typ":"JWT","alg":"ES256","x5c":[")", absl::Base64Escape(DerOf(certificate)), R"("]})"));
}

TokenSigner::~TokenSigner() {
  X509_free(keys_->certificate);
  EVP_PKEY_free(keys_->pair);
}

const std::string& TokenSigner::certificate_pem() const { return keys_->pem; }

std::string TokenSigner::Sign(absl::string_view claims) const {
  const std::string text = absl::StrCat(keys_->head, ".", absl::WebSafeBase64Escape(claims));
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  size_t size = 0;
  EVP_DigestSignInit(context, nullptr, EVP_sha256(), nullptr, keys_->pair);
  EVP_DigestSignUpdate(context, text.data(), text.size());
  EVP_DigestSignFinal(context, nullptr, &size);
  std::vector<unsigned char> der(size);
  EVP_DigestSignFinal(context, der.data(), &size);
  EVP_MD_CTX_free(context);
  // Tokens carry the two numbers side by side, OpenSSL wraps them in DER.
  const unsigned char* at = der.data();
  ECDSA_SIG* const signature = d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(size));
  std::string raw(2 * kHalf, '\0');
  auto* const bytes = reinterpret_cast<unsigned char*>(raw.data());
  BN_bn2binpad(ECDSA_SIG_get0_r(signature), bytes, kHalf);
  BN_bn2binpad(ECDSA_SIG_get0_s(signature), bytes + kHalf, kHalf);
  ECDSA_SIG_free(signature);
  return absl::StrCat(text, ".", absl::WebSafeBase64Escape(raw));
}

std::optional<std::string> TokenSigner::Open(absl::string_view token) const {
  const std::vector<std::string> parts = absl::StrSplit(token, '.');
  std::string claims;
  std::string raw;
  if (parts.size() != 3 || parts[0] != keys_->head ||
      !absl::WebSafeBase64Unescape(parts[1], &claims) ||
      !absl::WebSafeBase64Unescape(parts[2], &raw) || raw.size() != 2 * kHalf) {
    return std::nullopt;
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(raw.data());
  ECDSA_SIG* const signature = ECDSA_SIG_new();
  ECDSA_SIG_set0(signature, BN_bin2bn(bytes, kHalf, nullptr),
                 BN_bin2bn(bytes + kHalf, kHalf, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(signature, &der);
  ECDSA_SIG_free(signature);
  const std::string text = absl::StrCat(parts[0], ".", parts[1]);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, keys_->pair);
  const int good =
      EVP_DigestVerify(context, der, static_cast<size_t>(size),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  if (good != 1) return std::nullopt;
  return claims;
}

}  // namespace manyarch::testing
