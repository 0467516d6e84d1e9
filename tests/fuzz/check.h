// What every parser of foreign bytes must keep to.
#pragma once

#include <cstdio>
#include <cstdlib>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// Also in builds without asserts.
#define FUZZ_CHECK(condition)                                                        \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not true: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                  \
    }                                                                                \
  } while (false)

// An error can be shown on a terminal: it says something, in one line, not without end, and a
// foreign control character does not get through.
inline void CheckSentence(const absl::Status& status) {
  const absl::string_view message = status.message();
  FUZZ_CHECK(!message.empty());
  FUZZ_CHECK(message.size() < 8192);
  for (const char c : message) FUZZ_CHECK(!absl::ascii_iscntrl(static_cast<unsigned char>(c)));
}

}  // namespace manyarch
