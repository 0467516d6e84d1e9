// Images' configs, and what registries say when they refuse.
#include <cstddef>
#include <cstdint>
#include <string>

#include "registry/api_error.h"
#include "registry/manifest.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto config = registry::ParseImageConfig(text);
  if (config.ok()) {
    const Platform& platform = config->platform;
    FUZZ_CHECK(NormalPlatform(platform.os, platform.arch, platform.variant) == platform);
  } else {
    CheckSentence(config.status());
  }
  registry::Response answer{400, {}, text};
  CheckSentence(absl::UnknownError(registry::DescribeAnswer(answer).substr(0, 8000)));
  return 0;
}
