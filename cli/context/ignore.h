// The ignore file of a context (.containerignore, else .dockerignore) in docker's documented
// language.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "cli/context/glob.h"

namespace manyarch::cli {

// The rules of one ignore file. Paths are relative to the context, with '/' between components and
// none at either end. A rule for a directory holds for all that is below it; the last rule that
// matches wins. Immutable, safe to share between threads.
class IgnoreRules {
 public:
  // No rules: nothing is ignored.
  IgnoreRules() = default;
  // `name` is the file's, for error messages.
  static absl::StatusOr<IgnoreRules> Parse(absl::string_view text, absl::string_view name);

  bool Ignores(absl::string_view path) const;

  // Whether a '!' rule could bring back something below this ignored directory.
  bool MayBringBackBelow(absl::string_view directory) const;

 private:
  struct Rule {
    Glob glob;
    bool bring_back = false;     // "!pattern"
    std::string literal_prefix;  // The leading components without wildcards.
  };
  std::vector<Rule> rules_;
};

}  // namespace manyarch::cli
