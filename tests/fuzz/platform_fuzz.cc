// Platforms, one and lists of them.
#include <cstddef>
#include <cstdint>
#include <string>

#include "common/base/platform.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto platform = ParsePlatform(text);
  if (platform.ok()) {
    const auto again = ParsePlatform(ToString(*platform));
    FUZZ_CHECK(again.ok());
    FUZZ_CHECK(*again == *platform);
    FUZZ_CHECK(ListForm(*platform) == ListForm(*again));
  } else {
    CheckSentence(platform.status());
  }
  const auto list = ParsePlatformList({text});
  if (!list.ok()) CheckSentence(list.status());
  return 0;
}
