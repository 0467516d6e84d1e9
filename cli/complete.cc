#include "cli/complete.h"

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace manyarch::cli {

namespace {

// Those that --platform is mostly given.
constexpr const char* kPlatforms[] = {"linux/amd64",  "linux/arm64",  "linux/arm/v7",
                                      "linux/arm/v6", "linux/386",    "linux/ppc64le",
                                      "linux/s390x",  "linux/riscv64"};

bool TakesValue(const CLI::Option& option) { return option.get_items_expected_max() > 0; }

bool IsShown(const CLI::Option& option) { return !option.get_group().empty(); }

const CLI::Option* FindFlag(const CLI::App& command, absl::string_view word) {
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) {
      if (word == absl::StrCat("--", name)) return option;
    }
    for (const std::string& name : option->get_snames()) {
      if (word == absl::StrCat("-", name)) return option;
    }
  }
  return nullptr;
}

const CLI::App* FindCommand(const CLI::App& command, const std::string& word) {
  for (const CLI::App* inner : command.get_subcommands({})) {
    if (inner->get_name() == word) return inner;
  }
  return nullptr;
}

// A file's name, a directory's, or no path at all: told by how --help calls the value.
Completion::Paths PathsOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const std::string& name = option.get_single_name();
  if (absl::StartsWith(type, "FILE") || absl::StartsWith(type, "PATH")) {
    return Completion::Paths::kFiles;
  }
  if (absl::StartsWith(type, "DIR") || name == "CONTEXT") return Completion::Paths::kDirectories;
  return Completion::Paths::kNone;
}

// Which names stand there, as --help calls them.
Completion::Names NamesOf(const CLI::App& command, const CLI::Option& option) {
  using Names = Completion::Names;
  const std::string& name = option.get_single_name();
  const std::string parent =
      command.get_parent() != nullptr ? command.get_parent()->get_name() : "";
  if (absl::StartsWith(option.get_type_name(), "OS/ARCH")) return Names::kPlatforms;
  if (name == "farm" || (name == "NAME" && parent == "farms" && command.get_name() != "add")) {
    return Names::kFarms;
  }
  if (name == "NAME" && parent == "workers") return Names::kWorkers;
  if (name != "JOB") return Names::kNone;
  for (const char* live : {"attach", "wait", "cancel", "why"}) {
    if (command.get_name() == live) return Names::kLiveJobs;
  }
  return command.get_name() == "retry" ? Names::kEndedJobs : Names::kJobs;
}

void AddValues(const CLI::App& command, const CLI::Option& option, absl::string_view flag,
               absl::string_view typed, Completion& out) {
  std::vector<std::string> choices = ChoicesOf(option);
  const bool platforms = absl::StartsWith(option.get_type_name(), "OS/ARCH");
  if (platforms) choices.assign(std::begin(kPlatforms), std::end(kPlatforms));
  // Of a comma list only the last item is being typed.
  absl::string_view before;
  if (platforms || option.get_delimiter() == ',') {
    if (const size_t comma = typed.rfind(','); comma != absl::string_view::npos) {
      before = typed.substr(0, comma + 1);
      typed.remove_prefix(comma + 1);
    }
  }
  for (const std::string& choice : choices) {
    if (absl::StartsWith(choice, typed)) {
      out.candidates.push_back({absl::StrCat(flag, before, choice), ""});
    }
  }
  out.paths = PathsOf(option);
  out.names = NamesOf(command, option);
  out.before = absl::StrCat(flag, before);
  out.typed = std::string(typed);
}

std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

void AddFlags(const CLI::App& command, absl::string_view typed, Completion& out) {
  for (const CLI::Option* option : command.get_options()) {
    if (!IsShown(*option)) continue;
    const auto offer = [&](const std::string& word) {
      if (absl::StartsWith(word, typed)) {
        out.candidates.push_back({word, FirstLine(option->get_description())});
      }
    };
    for (const std::string& name : option->get_lnames()) offer("--" + name);
    // Where a long name is, a short one only takes its place.
    if (option->get_lnames().empty()) {
      for (const std::string& name : option->get_snames()) offer("-" + name);
    }
  }
}

}  // namespace

std::vector<std::string> ChoicesOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return {};
  return absl::StrSplit(type.substr(open + 1, close - open - 1), ',', absl::SkipEmpty());
}

Completion Complete(const CLI::App& app, absl::Span<const std::string> words) {
  Completion out;
  if (words.empty()) return out;
  const CLI::App* command = &app;
  const CLI::Option* awaiting = nullptr;  // The flag whose value comes next.
  size_t positionals = 0;
  bool only_positionals = false;  // After "--".
  for (const std::string& word : words.subspan(0, words.size() - 1)) {
    if (awaiting != nullptr) {
      awaiting = nullptr;
    } else if (word == "--") {
      only_positionals = true;
    } else if (!only_positionals && word.size() > 1 && word[0] == '-') {
      const CLI::Option* flag = FindFlag(*command, word);
      if (flag != nullptr && TakesValue(*flag)) awaiting = flag;
    } else if (const CLI::App* inner = nullptr;
               positionals == 0 && (inner = FindCommand(*command, word)) != nullptr) {
      command = inner;
    } else {
      ++positionals;
    }
  }
  const std::string& typed = words.back();
  if (awaiting != nullptr) {
    AddValues(*command, *awaiting, "", typed, out);
    return out;
  }
  if (!only_positionals && absl::StartsWith(typed, "-")) {
    const size_t equals = typed.find('=');
    if (equals == std::string::npos) {
      AddFlags(*command, typed, out);
    } else if (const CLI::Option* flag = FindFlag(*command, typed.substr(0, equals));
               flag != nullptr && TakesValue(*flag)) {
      AddValues(*command, *flag, typed.substr(0, equals + 1), typed.substr(equals + 1), out);
    }
    return out;
  }
  if (positionals == 0) {
    for (const CLI::App* inner : command->get_subcommands({})) {
      if (!inner->get_group().empty() && absl::StartsWith(inner->get_name(), typed)) {
        out.candidates.push_back({inner->get_name(), FirstLine(inner->get_description())});
      }
    }
  }
  size_t index = 0;
  for (const CLI::Option* option : command->get_options()) {
    if (!option->get_positional() || option->nonpositional()) continue;
    const bool many = option->get_items_expected_max() > 1;
    if (index == positionals || (many && index < positionals))
      AddValues(*command, *option, "", typed, out);
    ++index;
  }
  return out;
}

std::string ToText(const Completion& completion) {
  std::string text;
  for (const Candidate& candidate : completion.candidates) {
    absl::StrAppend(&text, candidate.word, candidate.help.empty() ? "" : "\t", candidate.help,
                    "\n");
  }
  if (completion.paths == Completion::Paths::kFiles) text += ":files\n";
  if (completion.paths == Completion::Paths::kDirectories) text += ":directories\n";
  return text;
}

}  // namespace manyarch::cli
