#include "cli/context/glob.h"

#include "absl/strings/str_cat.h"

namespace manyarch::cli {

namespace {

size_t Byte(char c) { return static_cast<unsigned char>(c); }

std::bitset<256> AnyButSlash() {
  std::bitset<256> set;
  set.set();
  set.reset('/');
  return set;
}

}  // namespace

// Compiles "[...]" that starts at pattern[at]; returns the index after it.
absl::StatusOr<size_t> Glob::CompileClass(absl::string_view pattern, size_t at, Token& token) {
  size_t i = at + 1;
  const bool negated = i < pattern.size() && pattern[i] == '^';
  if (negated) ++i;
  bool first = true;
  const auto take = [&](size_t& from, char& out) {
    if (from < pattern.size() && pattern[from] == '\\') ++from;
    if (from >= pattern.size()) return false;
    out = pattern[from++];
    return true;
  };
  while (i < pattern.size() && (first || pattern[i] != ']')) {
    first = false;
    char low = 0;
    if (!take(i, low)) break;
    char high = low;
    if (i + 1 < pattern.size() && pattern[i] == '-' && pattern[i + 1] != ']') {
      ++i;
      if (!take(i, high)) break;
    }
    if (Byte(high) < Byte(low)) {
      return absl::InvalidArgumentError(absl::StrCat("the range in '", pattern, "' is empty"));
    }
    for (size_t c = Byte(low); c <= Byte(high); ++c) token.set.set(c);
  }
  if (i >= pattern.size()) {
    return absl::InvalidArgumentError(absl::StrCat("'[' without ']' in '", pattern, "'"));
  }
  if (negated) token.set.flip();
  token.set.reset('/');
  return i + 1;
}

absl::StatusOr<Glob> Glob::Compile(absl::string_view pattern) {
  Glob glob;
  glob.has_wildcards_ = pattern.find_first_of("*?[") != absl::string_view::npos;
  size_t i = 0;
  while (i < pattern.size()) {
    const char c = pattern[i];
    if (c == '*' && i + 1 < pattern.size() && pattern[i + 1] == '*') {
      i += 2;
      if (i < pattern.size() && pattern[i] == '/') ++i;
      if (i >= pattern.size()) {
        glob.tokens_.push_back({Kind::kRest, {}});
      } else {
        glob.tokens_.push_back({Kind::kDirsOpen, {}});
        glob.tokens_.push_back({Kind::kDirsBody, {}});
      }
    } else if (c == '*') {
      glob.tokens_.push_back({Kind::kStar, {}});
      ++i;
    } else if (c == '?') {
      glob.tokens_.push_back({Kind::kSet, AnyButSlash()});
      ++i;
    } else if (c == '[') {
      Token token{Kind::kSet, {}};
      auto next = CompileClass(pattern, i, token);
      if (!next.ok()) return next.status();
      glob.tokens_.push_back(token);
      i = *next;
    } else {
      if (c == '\\' && ++i >= pattern.size()) {
        return absl::InvalidArgumentError(absl::StrCat("'", pattern, "' ends with '\\'"));
      }
      Token token{Kind::kSet, {}};
      token.set.set(Byte(pattern[i]));
      glob.tokens_.push_back(token);
      glob.literal_.push_back(pattern[i++]);
    }
  }
  return glob;
}

// Marks the state and those reached from it without reading a character.
void Glob::Enter(std::vector<bool>& states, size_t state) const {
  if (states[state]) return;
  states[state] = true;
  if (state == tokens_.size()) return;
  switch (tokens_[state].kind) {
    case Kind::kStar:
    case Kind::kRest:
      Enter(states, state + 1);
      break;
    case Kind::kDirsOpen:
      Enter(states, state + 1);
      Enter(states, state + 2);
      break;
    case Kind::kSet:
    case Kind::kDirsBody:
      break;
  }
}

bool Glob::Matches(absl::string_view path) const {
  if (!has_wildcards_) return path == literal_;
  std::vector<bool> now(tokens_.size() + 1);
  std::vector<bool> next(tokens_.size() + 1);
  Enter(now, 0);
  for (const char c : path) {
    next.assign(next.size(), false);
    bool alive = false;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (!now[i]) continue;
      alive = true;
      switch (tokens_[i].kind) {
        case Kind::kSet:
          if (tokens_[i].set.test(Byte(c))) Enter(next, i + 1);
          break;
        case Kind::kStar:
          if (c != '/') Enter(next, i);
          break;
        case Kind::kRest:
          Enter(next, i);
          break;
        case Kind::kDirsBody:
          Enter(next, i);
          if (c == '/') Enter(next, i + 1);
          break;
        case Kind::kDirsOpen:
          break;
      }
    }
    if (!alive) return false;
    now.swap(next);
  }
  return now[tokens_.size()];
}

}  // namespace manyarch::cli
