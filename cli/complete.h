// What the shell may complete a half-typed command line to.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/types/span.h"

namespace manyarch::cli {

struct Candidate {
  std::string word;  // Stands in place of the word that is typed.
  std::string help;  // A few words; may be empty.
};

struct Completion {
  std::vector<Candidate> candidates;
  enum class Paths { kNone, kFiles, kDirectories } paths = Paths::kNone;  // Offered beside them.

  // What only the farm, or the user's list of farms, knows: to be offered behind `before`, as far
  // as it begins with `typed`.
  enum class Names { kNone, kJobs, kLiveJobs, kEndedJobs, kWorkers, kPlatforms, kFarms };
  Names names = Names::kNone;
  std::string before;
  std::string typed;
};

// `words` are those after the program's name up to the cursor; the last one is being typed and may
// be empty. The candidates come from `app`: commands, flags, and the values a flag may have. What
// is hidden in --help is not offered.
Completion Complete(const CLI::App& app, absl::Span<const std::string> words);

// For the shells' scripts: "word TAB help" lines, then ":files" or ":directories".
std::string ToText(const Completion& completion);

// "bash", "zsh" or "fish": the script that asks this program.
std::string CompletionScript(const std::string& shell);

// The values that an option's check allows ("{table,json}"); empty where it does not say.
std::vector<std::string> ChoicesOf(const CLI::Option& option);

}  // namespace manyarch::cli
