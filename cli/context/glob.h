// Patterns of ignore files: '*' and '?' within one component, '**' over any number of them,
// [a-z] and [^a-z], and '\' for the next character as it is.
#pragma once

#include <bitset>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::cli {

// A compiled pattern. Matching takes time proportional to pattern times path, whatever the pattern.
class Glob {
 public:
  // INVALID_ARGUMENT for an unfinished [class] or a trailing '\'.
  static absl::StatusOr<Glob> Compile(absl::string_view pattern);

  // Whether the whole path matches.
  bool Matches(absl::string_view path) const;

 private:
  enum class Kind {
    kSet,       // One character of `set`.
    kStar,      // Any run of characters but '/'.
    kRest,      // "**" at the end: any run of characters.
    kDirsOpen,  // "**/": nothing, or …
    kDirsBody,  // … any run of characters that ends with '/'.
  };
  struct Token {
    Kind kind;
    std::bitset<256> set;
  };

  static absl::StatusOr<size_t> CompileClass(absl::string_view pattern, size_t at, Token& token);
  void Enter(std::vector<bool>& states, size_t state) const;

  std::vector<Token> tokens_;
  bool has_wildcards_ = false;
  std::string
      literal_;  // The whole pattern, where it has no wildcards: by far the most common kind.
};

}  // namespace manyarch::cli
