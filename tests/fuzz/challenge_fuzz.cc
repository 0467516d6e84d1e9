// WWW-Authenticate, as registries and what stands before them write it.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/ascii.h"
#include "registry/challenge.h"
#include "tests/fuzz/check.h"

namespace manyarch {
namespace {

std::string Print(const std::vector<registry::Challenge>& challenges) {
  std::string out;
  for (const registry::Challenge& challenge : challenges) {
    out += (out.empty() ? "" : ", ") + challenge.scheme;
    const char* separator = " ";
    for (const auto& [name, value] : challenge.params) {
      out += separator + name + "=\"";
      for (const char c : value) {
        if (c == '"' || c == '\\') out += '\\';
        out += c;
      }
      out += '"';
      separator = ", ";
    }
  }
  return out;
}

}  // namespace
}  // namespace manyarch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto challenges = registry::ParseChallenges({text});
  for (const registry::Challenge& challenge : challenges) {
    FUZZ_CHECK(!challenge.scheme.empty());
    FUZZ_CHECK(challenge.scheme == absl::AsciiStrToLower(challenge.scheme));
    for (const auto& [name, value] : challenge.params) {
      FUZZ_CHECK(!name.empty());
      FUZZ_CHECK(challenge.Param(name) == value);
    }
  }
  const auto again = registry::ParseChallenges({Print(challenges)});
  FUZZ_CHECK(again.size() == challenges.size());
  for (size_t i = 0; i < again.size(); ++i) {
    FUZZ_CHECK(again[i].scheme == challenges[i].scheme);
    FUZZ_CHECK(again[i].params == challenges[i].params);
  }
  return 0;
}
