#include "common/os/man_page.h"

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch {

namespace {

// Backslashes and hyphens (which would be typeset as dashes), and characters that begin a request.
std::string Roff(absl::string_view text) {
  std::string out;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) out += "\\&";
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-') {
      out += "\\-";
    } else {
      out += c;
    }
    at_start = c == '\n';
  }
  return out;
}

std::string Paragraph(absl::string_view text) {
  return absl::StrCat(Roff(absl::StripAsciiWhitespace(text)), "\n");
}

std::string PathOf(const CLI::App& command) {
  const std::string& own = command.get_name();
  return command.get_parent() == nullptr ? own
                                         : absl::StrCat(PathOf(*command.get_parent()), " ", own);
}

std::string FirstSentence(absl::string_view text) {
  std::string line(text.substr(0, text.find(".\n")));
  for (char& c : line) c = c == '\n' ? ' ' : c;
  return std::string(absl::StripSuffix(absl::StripAsciiWhitespace(line), "."));
}

// "FORMAT:{table,json}" as "FORMAT": the values are told by the description or below it.
std::string ValueOf(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  return type.substr(0, type.find(":{"));
}

std::string ChoicesIn(const CLI::Option& option) {
  const std::string type = option.get_type_name();
  const size_t open = type.find('{');
  const size_t close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos || close < open) return "";
  return type.substr(open + 1, close - open - 1);
}

bool IsShown(const CLI::Option& option) { return !option.get_group().empty(); }

bool IsPositional(const CLI::Option& option) {
  return option.get_positional() && !option.nonpositional();
}

std::string OptionEntry(const CLI::Option& option) {
  std::vector<std::string> names;
  for (const std::string& name : option.get_snames()) names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) names.push_back("--" + name);
  std::string head;
  for (const std::string& name : names) {
    absl::StrAppend(&head, head.empty() ? "" : ", ", "\\fB", Roff(name), "\\fR");
  }
  if (option.get_items_expected_max() > 0) {
    const std::string value = ValueOf(option);
    absl::StrAppend(&head, " \\fI", Roff(value.empty() ? "VALUE" : value), "\\fR");
  }
  std::string text = option.get_description();
  if (const std::string choices = ChoicesIn(option);
      !choices.empty() && !absl::StrContains(text, choices.substr(0, choices.find(',')))) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "(one of ", choices, ")");
  }
  // Where the words tell of a default, it may be another one on each machine.
  if (const std::string preset = option.get_default_str();
      !preset.empty() && !absl::StrContains(text, "default")) {
    absl::StrAppend(&text, text.empty() ? "" : " ", "(default: ", preset, ")");
  }
  return absl::StrCat(".TP\n", head, "\n", text.empty() ? "\\&\n" : Paragraph(text));
}

std::string Synopsis(const CLI::App& command, const std::vector<const CLI::App*>& inner) {
  std::string text = absl::StrCat(".B ", Roff(PathOf(command)), "\n[\\fIOPTIONS\\fR]");
  for (const CLI::Option* option : command.get_options()) {
    if (!IsPositional(*option) || !IsShown(*option)) continue;
    const bool many = option->get_items_expected_max() > 1;
    absl::StrAppend(&text, "\n\\fI", Roff(option->get_single_name()), many ? "\\fR\\&..." : "\\fR");
  }
  if (!inner.empty()) absl::StrAppend(&text, "\n\\fICOMMAND\\fR\n[\\fIARGUMENT\\fR\\&...]");
  return text + "\n";
}

// "Exit status: 0 ok, …" is a section of its own.
std::string FooterSection(absl::string_view footer) {
  footer = absl::StripAsciiWhitespace(footer);
  if (footer.empty()) return "";
  if (absl::ConsumePrefix(&footer, "Exit status: ")) {
    return absl::StrCat(".SH EXIT STATUS\n", Paragraph(footer));
  }
  return absl::StrCat(".SH NOTES\n.nf\n", Paragraph(footer), ".fi\n");
}

std::string Reference(const CLI::App& command) {
  return absl::StrCat(".BR ", Roff(ManPageName(command)), " (1)");
}

}  // namespace

std::string ManPageName(const CLI::App& command) {
  std::string name = PathOf(command);
  for (char& c : name) c = c == ' ' ? '-' : c;
  return name;
}

std::string ManPage(const CLI::App& command) {
  std::vector<const CLI::App*> inner;
  for (const CLI::App* app : command.get_subcommands({})) {
    if (!app->get_group().empty() && !app->get_name().empty()) inner.push_back(app);
  }
  const std::string name = ManPageName(command);
  std::string page = absl::StrCat(".TH \"", Roff(absl::AsciiStrToUpper(name)),
                                  "\" \"1\" \"\" \"manyarch\" \"manyarch\"\n.SH NAME\n", Roff(name),
                                  " \\- ", Roff(FirstSentence(command.get_description())), "\n");
  absl::StrAppend(&page, ".SH SYNOPSIS\n", Synopsis(command, inner), ".SH DESCRIPTION\n",
                  Paragraph(command.get_description()));
  std::string arguments;
  std::string options;
  for (const CLI::Option* option : command.get_options()) {
    if (!IsShown(*option)) continue;
    if (!IsPositional(*option)) {
      options += OptionEntry(*option);
    } else if (option->has_description()) {
      absl::StrAppend(&arguments, ".TP\n.I ", Roff(option->get_single_name()), "\n",
                      Paragraph(option->get_description()));
    }
  }
  if (!arguments.empty()) absl::StrAppend(&page, ".SH ARGUMENTS\n", arguments);
  if (!inner.empty()) {
    page += ".SH COMMANDS\n";
    for (const CLI::App* app : inner) {
      absl::StrAppend(&page, ".TP\n.B ", Roff(app->get_name()), "\n",
                      Paragraph(app->get_description()));
    }
  }
  if (!options.empty()) absl::StrAppend(&page, ".SH OPTIONS\n", options);
  page += FooterSection(command.get_footer());
  std::vector<std::string> related;
  if (command.get_parent() != nullptr) related.push_back(Reference(*command.get_parent()));
  for (const CLI::App* app : inner) related.push_back(Reference(*app));
  if (!related.empty()) {
    page += ".SH SEE ALSO\n";
    for (size_t i = 0; i < related.size(); ++i) {
      absl::StrAppend(&page, related[i], i + 1 < related.size() ? " ,\n" : "\n");
    }
  }
  return page;
}

absl::Status WriteManPages(const CLI::App& command, const std::string& directory) {
  MA_RETURN_IF_ERROR(MakeDirs(directory));
  MA_RETURN_IF_ERROR(
      WriteFileAtomic(absl::StrCat(directory, "/", ManPageName(command), ".1"), ManPage(command)));
  for (const CLI::App* inner : command.get_subcommands({})) {
    MA_RETURN_IF_ERROR(WriteManPages(*inner, directory));
  }
  return absl::OkStatus();
}

}  // namespace manyarch
