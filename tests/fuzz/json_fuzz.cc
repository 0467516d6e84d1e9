// JSON objects, strictly.
#include <cstddef>
#include <cstdint>
#include <string>

#include "registry/json.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto object = registry::ParseObject(text, "the document");
  if (!object.ok()) {
    CheckSentence(object.status());
    return 0;
  }
  FUZZ_CHECK(object->is_object());
  const std::string printed = object->dump();
  const auto again = registry::ParseObject(printed, "the document");
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(again->dump() == printed);
  for (const auto& [key, value] : object->items()) {
    const auto string = registry::OptionalString(*object, key, "it");
    if (string.ok()) {
      FUZZ_CHECK(value.is_null() || value.is_string());
    } else {
      CheckSentence(string.status());
    }
    const auto number = registry::RequiredSize(*object, key, "it");
    if (number.ok()) {
      FUZZ_CHECK(*number >= 0);
    } else {
      CheckSentence(number.status());
    }
  }
  return 0;
}
