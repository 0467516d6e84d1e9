#include "common/base/digest.h"

#include <openssl/evp.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace manyarch {

namespace {
constexpr absl::string_view kPrefix = "sha256:";
}  // namespace

absl::StatusOr<Digest> Digest::Parse(absl::string_view text) {
  const absl::string_view hex = text.substr(std::min(text.size(), kPrefix.size()));
  bool good = text.size() == kPrefix.size() + 64 && text.substr(0, kPrefix.size()) == kPrefix;
  for (const char c : hex) good = good && (absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f'));
  if (!good) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", absl::CHexEscape(text.substr(0, 100)),
                     "' is not a digest: want sha256: and 64 lower-case hex digits"));
  }
  return Digest(std::string(text));
}

Digest Digest::Of(absl::string_view bytes) {
  Sha256 hash;
  hash.Update(bytes);
  return hash.Finish();
}

struct Sha256::Context {
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> evp{EVP_MD_CTX_new(), EVP_MD_CTX_free};
};

Sha256::Sha256() : context_(std::make_unique<Context>()) {
  EVP_DigestInit_ex(context_->evp.get(), EVP_sha256(), nullptr);
}

Sha256::~Sha256() = default;

void Sha256::Update(absl::string_view bytes) {
  EVP_DigestUpdate(context_->evp.get(), bytes.data(), bytes.size());
}

Digest Sha256::Finish() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> out{};
  unsigned int size = 0;
  EVP_DigestFinal_ex(context_->evp.get(), out.data(), &size);
  std::string raw(out.begin(), out.begin() + size);
  return Digest(absl::StrCat(kPrefix, absl::BytesToHexString(raw)));
}

}  // namespace manyarch
