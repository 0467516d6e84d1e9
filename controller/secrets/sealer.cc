#include "controller/secrets/sealer.h"

#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::controller {

namespace {

constexpr size_t kKeyBytes = 32;
constexpr size_t kNonceBytes = 12;
constexpr size_t kTagBytes = 16;
constexpr char kVersion = 1;  // The first byte of all that is sealed.

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Context NewContext() { return Context(EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free); }

// OpenSSL wants unsigned bytes and int sizes. What is sealed is far below 2 GiB.
const unsigned char* In(absl::string_view bytes) {
  return reinterpret_cast<const unsigned char*>(bytes.data());
}
unsigned char* Out(std::string& bytes) { return reinterpret_cast<unsigned char*>(bytes.data()); }
int Size(absl::string_view bytes) { return static_cast<int>(bytes.size()); }

absl::StatusOr<std::string> Random(size_t size) {
  std::string bytes(size, '\0');
  if (RAND_bytes(Out(bytes), Size(bytes)) != 1) {
    return absl::InternalError("OpenSSL has no random bytes");
  }
  return bytes;
}

// What a sealed value is bound to. Neither part has a NUL in it.
std::string Binding(absl::string_view job_id, absl::string_view name) {
  return absl::StrCat(job_id, absl::string_view("\0", 1), name);
}

absl::Status CheckKeyFile(const std::string& path, const std::string& key) {
  struct stat info = {};
  if (stat(path.c_str(), &info) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("looking at ", path));
  }
  if ((info.st_mode & 077) != 0) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, ", the key of jobs' secrets, may be read by others: chmod 600 it"));
  }
  if (key.size() != kKeyBytes) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is not a key of ", kKeyBytes,
        " bytes: put the right one back, or remove it for a new one (secrets of jobs that have not "
        "ended are lost then)"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Sealer> Sealer::Open(const std::string& path) {
  absl::StatusOr<std::string> key = ReadFile(path);
  if (absl::IsNotFound(key.status())) {
    MA_ASSIGN_OR_RETURN(key, Random(kKeyBytes));
    MA_RETURN_IF_ERROR(WriteFileAtomic(path, *key, 0600));
  }
  MA_RETURN_IF_ERROR(key.status());
  MA_RETURN_IF_ERROR(CheckKeyFile(path, *key));
  return Sealer(path, *std::move(key));
}

absl::StatusOr<std::string> Sealer::Seal(absl::string_view job_id, absl::string_view name,
                                         absl::string_view value) const {
  MA_ASSIGN_OR_RETURN(const std::string nonce, Random(kNonceBytes));
  const std::string binding = Binding(job_id, name);
  const Context context = NewContext();
  std::string text(value.size(), '\0');
  std::string tag(kTagBytes, '\0');
  std::string rest(kTagBytes, '\0');  // GCM has nothing to add at the end.
  int size = 0;
  if (context == nullptr ||
      EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, In(key_), In(nonce)) != 1 ||
      EVP_EncryptUpdate(context.get(), nullptr, &size, In(binding), Size(binding)) != 1 ||
      EVP_EncryptUpdate(context.get(), Out(text), &size, In(value), Size(value)) != 1 ||
      EVP_EncryptFinal_ex(context.get(), Out(rest), &size) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, tag.data()) != 1) {
    return absl::InternalError("sealing a secret: OpenSSL failed");
  }
  return absl::StrCat(absl::string_view(&kVersion, 1), nonce, text, tag);
}

absl::StatusOr<std::string> Sealer::Unseal(absl::string_view job_id, absl::string_view name,
                                           absl::string_view sealed) const {
  const absl::Status refused = absl::FailedPreconditionError(absl::StrCat(
      "the secrets of job ", job_id, " cannot be opened with ", path_,
      ": it is not the key that they were sealed with, or they are damaged; put the right key file "
      "back and restart the controller, or submit the job anew"));
  if (sealed.size() < 1 + kNonceBytes + kTagBytes || sealed[0] != kVersion) return refused;
  const absl::string_view nonce = sealed.substr(1, kNonceBytes);
  const absl::string_view text =
      sealed.substr(1 + kNonceBytes, sealed.size() - 1 - kNonceBytes - kTagBytes);
  std::string tag(sealed.substr(sealed.size() - kTagBytes));
  const std::string binding = Binding(job_id, name);
  const Context context = NewContext();
  std::string value(text.size(), '\0');
  std::string rest(kTagBytes, '\0');
  int size = 0;
  if (context == nullptr ||
      EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, In(key_), In(nonce)) != 1 ||
      EVP_DecryptUpdate(context.get(), nullptr, &size, In(binding), Size(binding)) != 1 ||
      EVP_DecryptUpdate(context.get(), Out(value), &size, In(text), Size(text)) != 1 ||
      EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, tag.data()) != 1 ||
      EVP_DecryptFinal_ex(context.get(), Out(rest), &size) != 1) {
    return refused;
  }
  return value;
}

}  // namespace manyarch::controller
