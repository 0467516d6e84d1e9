#include "common/base/worker_values.h"

#include "absl/strings/str_cat.h"
#include "common/base/build_values.h"
#include "common/base/utf8.h"

namespace manyarch {

absl::Status CheckWorkerText(absl::string_view what, absl::string_view text) {
  const char* fault = !IsUtf8(text) ? "' is not UTF-8: choose another"
                      : HasControlCharacters(text)
                          ? "' has control characters in it: choose another"
                          : nullptr;
  if (fault == nullptr) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the worker's ", what, " '", EscapedText(text), fault));
}

absl::Status CheckWorkerLabel(absl::string_view name, absl::string_view value) {
  const absl::Status text = CheckWorkerText("label", absl::StrCat(name, "=", value));
  if (!text.ok() || name != "memory") return text;
  const absl::StatusOr<int64_t> memory = ParseMemory(value);
  if (memory.ok() && *memory > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the worker's label 'memory=", value,
                   "' is not the memory of a machine: write a size like 64GiB, 16g or 4096m, from "
                   "6 MiB to 1 PiB"));
}

}  // namespace manyarch
