#include "common/base/utf8.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"

namespace manyarch {

size_t Utf8Length(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return 1;
  const size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < length) return 0;
  for (size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0) != 0x80) return 0;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  if ((first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
      (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f)) {
    return 0;
  }
  return length;
}

bool IsUtf8(absl::string_view bytes) {
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0) return false;
    bytes.remove_prefix(length);
  }
  return true;
}

std::string ToUtf8(absl::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    if (length == 0) {
      result.push_back('?');
    } else {
      result.append(bytes.data(), length);
    }
    bytes.remove_prefix(std::max<size_t>(length, 1));
  }
  return result;
}

size_t ControlLength(absl::string_view text) {
  if (absl::ascii_iscntrl(static_cast<unsigned char>(text[0]))) return 1;
  const bool unicode =
      text[0] == '\xc2' && Utf8Length(text) == 2 && static_cast<unsigned char>(text[1]) < 0xa0;
  return unicode ? 2 : 0;
}

bool HasControlCharacters(absl::string_view text) {
  while (!text.empty()) {
    if (ControlLength(text) > 0) return true;
    text.remove_prefix(std::max<size_t>(Utf8Length(text), 1));
  }
  return false;
}

std::string EscapedText(absl::string_view bytes) {
  std::string result;
  while (!bytes.empty()) {
    const size_t length = Utf8Length(bytes);
    const absl::string_view piece = bytes.substr(0, std::max<size_t>(length, 1));
    result +=
        length > 1 && ControlLength(piece) == 0 ? std::string(piece) : absl::CHexEscape(piece);
    bytes.remove_prefix(piece.size());
  }
  return result;
}

}  // namespace manyarch
