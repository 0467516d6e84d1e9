// Retry-After.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "registry/retry.h"
#include "tests/fuzz/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Time now = absl::FromUnixSeconds(1'700'000'000);
  const auto pause = registry::ParseRetryAfter(text, now);
  if (!pause) return 0;
  FUZZ_CHECK(*pause >= absl::ZeroDuration());
  FUZZ_CHECK(*pause < absl::InfiniteDuration());
  const int64_t seconds = absl::ToInt64Seconds(*pause);
  FUZZ_CHECK(absl::Seconds(seconds) == *pause);
  if (seconds <= 0xffffffffLL) {
    FUZZ_CHECK(registry::ParseRetryAfter(absl::StrCat(" ", seconds, " "), now) == pause);
  }
  return 0;
}
