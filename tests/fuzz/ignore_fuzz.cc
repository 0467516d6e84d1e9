// Ignore files, and the paths they are asked about.
#include <cstddef>
#include <cstdint>
#include <string>

#include "cli/context/ignore.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  // Matching takes pattern times path: what is longer finds nothing more.
  const std::string text(reinterpret_cast<const char*>(data), size < 2000 ? size : 2000);
  const auto rules = cli::IgnoreRules::Parse(text, "it");
  if (!rules.ok()) {
    FUZZ_CHECK(!rules.status().message().empty());
    return 0;
  }
  for (const char* path : {"a", "a/b", "a/b/c", "src/main.c", "x.tmp", ".git/HEAD", "\xff/\n"}) {
    FUZZ_CHECK(rules->Ignores(path) == rules->Ignores(path));
  }
  // Without a rule that brings back, all below an ignored directory is ignored.
  if (text.find('!') == std::string::npos) {
    FUZZ_CHECK(!rules->MayBringBackBelow("a"));
    if (rules->Ignores("a")) FUZZ_CHECK(rules->Ignores("a/b/c"));
  }
  return 0;
}
