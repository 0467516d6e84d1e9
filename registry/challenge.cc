#include "registry/challenge.h"

#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace manyarch::registry {

namespace {

bool IsTokenChar(char c) {
  return absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
         absl::StrContains("!#$%&'*+-.^_`|~/", absl::string_view(&c, 1));
}

void SkipBlanks(absl::string_view& text) {
  while (!text.empty() && (text[0] == ' ' || text[0] == '\t')) text.remove_prefix(1);
}

std::string TakeToken(absl::string_view& text) {
  size_t size = 0;
  while (size < text.size() && IsTokenChar(text[size])) ++size;
  std::string token(text.substr(0, size));
  text.remove_prefix(size);
  return token;
}

// A quoted string or a token; nullopt where the closing quote is missing.
std::optional<std::string> TakeValue(absl::string_view& text) {
  if (text.empty() || text[0] != '"') return TakeToken(text);
  text.remove_prefix(1);
  std::string value;
  while (!text.empty() && text[0] != '"') {
    if (text[0] == '\\') text.remove_prefix(1);
    if (text.empty()) break;
    value.push_back(text[0]);
    text.remove_prefix(1);
  }
  if (text.empty()) return std::nullopt;
  text.remove_prefix(1);
  return value;
}

void ParseLine(absl::string_view text, std::vector<Challenge>& out) {
  bool started = false;  // A challenge of this line is being filled.
  while (true) {
    SkipBlanks(text);
    if (text.empty()) return;
    if (text[0] == ',') {
      text.remove_prefix(1);
      continue;
    }
    std::string word = absl::AsciiStrToLower(TakeToken(text));
    if (word.empty()) return;
    SkipBlanks(text);
    // "name=" belongs to the challenge before it; a word without '=' begins a new one.
    if (!text.empty() && text[0] == '=') {
      if (!started) return;
      text.remove_prefix(1);
      SkipBlanks(text);
      std::optional<std::string> value = TakeValue(text);
      if (!value) return;
      out.back().params.emplace(std::move(word), *std::move(value));
    } else {
      out.push_back({std::move(word), {}});
      started = true;
    }
  }
}

}  // namespace

std::string Challenge::Param(const std::string& name) const {
  const auto param = params.find(name);
  return param == params.end() ? "" : param->second;
}

std::vector<Challenge> ParseChallenges(absl::Span<const std::string> headers) {
  std::vector<Challenge> out;
  for (const std::string& header : headers) ParseLine(header, out);
  return out;
}

}  // namespace manyarch::registry
