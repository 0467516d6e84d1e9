#include "common/os/host.h"

#include <unistd.h>

#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"

namespace manyarch {

std::string NetworkIdentity() {
  const absl::StatusOr<std::string> boot = ReadFile("/proc/sys/kernel/random/boot_id");
  std::array<char, 64> name{};  // "net:[4026531840]"
  const ssize_t length = ::readlink("/proc/self/ns/net", name.data(), name.size());
  if (!boot.ok() || length <= 0) return "";
  return absl::StrCat(absl::StripAsciiWhitespace(*boot), " ",
                      absl::string_view(name.data(), static_cast<size_t>(length)));
}

}  // namespace manyarch
