#include "cli/context/ignore.h"

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace manyarch::cli {

namespace {

// "./a//b/../c/" → "a/c". What climbs above the root stays as ".." and so matches nothing.
std::string Clean(absl::string_view pattern) {
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(pattern, '/', absl::SkipEmpty())) {
    if (part == ".") continue;
    if (part == ".." && !parts.empty() && parts.back() != "..") {
      parts.pop_back();
    } else {
      parts.emplace_back(part);
    }
  }
  return absl::StrJoin(parts, "/");
}

std::string LiteralPrefix(absl::string_view pattern) {
  std::vector<std::string> parts;
  for (const absl::string_view part : absl::StrSplit(pattern, '/')) {
    if (part.find_first_of("*?[\\") != absl::string_view::npos) break;
    parts.emplace_back(part);
  }
  return absl::StrJoin(parts, "/");
}

bool IsBelowOrSame(absl::string_view path, absl::string_view top) {
  return top.empty() || path == top || absl::StartsWith(path, absl::StrCat(top, "/"));
}

}  // namespace

absl::StatusOr<IgnoreRules> IgnoreRules::Parse(absl::string_view text, absl::string_view name) {
  IgnoreRules rules;
  int number = 0;
  absl::ConsumePrefix(&text, "\xEF\xBB\xBF");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    ++number;
    if (absl::StartsWith(line, "#")) continue;
    line = absl::StripAsciiWhitespace(line);
    if (line.empty()) continue;
    Rule rule;
    if (absl::ConsumePrefix(&line, "!")) {
      rule.bring_back = true;
      line = absl::StripAsciiWhitespace(line);
      if (line.empty()) {
        return absl::InvalidArgumentError(
            absl::StrCat(name, " line ", number, ": '!' must be followed by a pattern"));
      }
    }
    const std::string pattern = Clean(line);
    if (pattern.empty()) continue;
    auto glob = Glob::Compile(pattern);
    if (!glob.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(name, " line ", number, ": ", glob.status().message()));
    }
    rule.glob = *std::move(glob);
    rule.literal_prefix = LiteralPrefix(pattern);
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

bool IgnoreRules::Ignores(absl::string_view path) const {
  bool ignored = false;
  for (const Rule& rule : rules_) {
    // A rule of the kind that would change nothing need not be tried.
    if (rule.bring_back != ignored) continue;
    bool matches = rule.glob.Matches(path);
    for (size_t at = path.find('/'); !matches && at != absl::string_view::npos;
         at = path.find('/', at + 1)) {
      matches = rule.glob.Matches(path.substr(0, at));
    }
    if (matches) ignored = !rule.bring_back;
  }
  return ignored;
}

bool IgnoreRules::MayBringBackBelow(absl::string_view directory) const {
  for (const Rule& rule : rules_) {
    if (!rule.bring_back) continue;
    if (IsBelowOrSame(rule.literal_prefix, directory) ||
        IsBelowOrSame(directory, rule.literal_prefix)) {
      return true;
    }
  }
  return false;
}

}  // namespace manyarch::cli
