// What is UTF-8 and what is not: text fields on the wire take nothing else.
#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"

namespace manyarch {

// The length of the UTF-8 character that `text`, which is not empty, starts with; 0 where it is
// none (RFC 3629: no overlong forms, no surrogates, nothing beyond U+10FFFF).
size_t Utf8Length(absl::string_view text);

// Whether all of it is UTF-8.
bool IsUtf8(absl::string_view bytes);

// `bytes` with all that is not UTF-8 replaced by '?'.
std::string ToUtf8(absl::string_view bytes);

// The length of the control character that `text`, which is not empty, starts with; 0 where it is
// none. Of ASCII, or of Unicode's U+0080 to U+009F, which some terminals obey too.
size_t ControlLength(absl::string_view text);

// Whether there are any of those.
bool HasControlCharacters(absl::string_view text);

// `bytes` on one line and as UTF-8: control characters, backslashes and quotes as in C, and bytes
// that are no UTF-8 as "\xff".
std::string EscapedText(absl::string_view bytes);

}  // namespace manyarch
