// What names a git repository: nothing of it can be an option of git or lead out of the repository.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "cli/context/git_source.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto url = cli::ParseGitUrl(text);
  if (!url.ok()) {
    FUZZ_CHECK(!url.status().message().empty());
    return 0;
  }
  if (!url->has_value()) return 0;
  const cli::GitUrl& parsed = **url;
  FUZZ_CHECK(!absl::StartsWith(parsed.url, "-"));
  FUZZ_CHECK(!absl::StartsWith(parsed.ref, "-") && !absl::StrContains(parsed.ref, ":"));
  FUZZ_CHECK(!absl::StartsWith(parsed.directory, "/"));
  FUZZ_CHECK(!absl::StrContains("/" + parsed.directory + "/", "/../"));
  for (const char c : parsed.url + parsed.ref + parsed.directory) {
    FUZZ_CHECK(static_cast<unsigned char>(c) >= ' ' && c != 0x7f);
  }
  FUZZ_CHECK(!parsed.Shown().empty());
  return 0;
}
