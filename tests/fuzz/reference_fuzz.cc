// References, as people and other programs write them.
#include <cstddef>
#include <cstdint>
#include <string>

#include "registry/reference.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  for (const auto parse :
       {registry::ParseReference, registry::ParseTagReference, registry::ParseRepository}) {
    const auto reference = parse(text);
    if (!reference.ok()) {
      CheckSentence(reference.status());
      continue;
    }
    const auto again = parse(reference->ToString());
    FUZZ_CHECK(again.ok());
    FUZZ_CHECK(*again == *reference);
    FUZZ_CHECK(again->ToString() == reference->ToString());
    FUZZ_CHECK(!reference->registry.empty() && !reference->repository.empty());
    FUZZ_CHECK(reference->tag.empty() || registry::IsTag(reference->tag));
    registry::IsLoopback(reference->registry);
    FUZZ_CHECK(!registry::ApiHost(reference->registry).empty());
  }
  return 0;
}
