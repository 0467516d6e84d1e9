#include "cli/commands/app.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/commands/hidden.h"
#include "cli/exit_code.h"
#include "cli/farms.h"
#include "cli/nearest.h"
#include "cli/version.h"
#include "common/os/logging.h"

namespace manyarch::cli {

namespace {

int Usage(const std::string& sentence, const CLI::App* command) {
  std::string path;
  for (const CLI::App* app = command; app != nullptr; app = app->get_parent()) {
    path = absl::StrCat(app->get_name(), path.empty() ? "" : " ", path);
  }
  std::fprintf(stderr, "manyarch: %s\nSee `%s --help`.\n", sentence.c_str(), path.c_str());
  return kExitUsage;
}

std::vector<std::string> FlagsOf(const CLI::App& command) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : command.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
  }
  return flags;
}

std::string UnknownCommand(const CLI::App& app, const std::string& word) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  const std::string nearest = Nearest(word, names);
  return absl::StrCat("unknown command '", word, "'",
                      nearest.empty() ? "" : absl::StrCat(": did you mean '", nearest, "'?"));
}

// The sentence for words that no command took; empty when there are none.
std::string Leftover(const CLI::App& command) {
  const std::vector<std::string> rest = command.remaining();
  if (rest.empty()) return "";
  const bool takes_commands = !command.get_subcommands({}).empty();
  if (takes_commands && !absl::StartsWith(rest.front(), "-")) {
    return UnknownCommand(command, rest.front());
  }
  for (const std::string& word : rest) {
    if (!absl::StartsWith(word, "-") || word == "-" || word == "--") continue;
    const std::string flag = word.substr(0, word.find('='));
    const std::string nearest = Nearest(flag, FlagsOf(command));
    return absl::StrCat("unknown flag '", flag, "'",
                        nearest.empty() ? "" : absl::StrCat(": did you mean '", nearest, "'?"));
  }
  return absl::StrCat("one argument too many: '", rest.front(), "'");
}

const CLI::App* Innermost(const CLI::App& app) {
  const CLI::App* command = &app;
  while (!command->get_subcommands().empty()) command = command->get_subcommands().front();
  return command;
}

}  // namespace

CLI::App* NewLocalCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                          const std::string& description) {
  CLI::App* command = app.add_subcommand(name, description);
  // What is left over is told in our own words, with the nearest flag.
  command->allow_extras();
  command->add_flag("--verbose", invocation.verbose, "Tell on stderr what is being done");
  return command;
}

void AddFarmFlags(CLI::App& command, Invocation& invocation) {
  command
      .add_option("--controller", invocation.controller,
                  "Address of the controller; also MANYARCH_CONTROLLER")
      ->type_name("HOST:PORT");
  command
      .add_option("--farm", invocation.farm,
                  "The controller of a farm that `manyarch farms` names; also MANYARCH_FARM")
      ->type_name("NAME");
}

CLI::App* NewCommand(CLI::App& app, Invocation& invocation, const std::string& name,
                     const std::string& description) {
  CLI::App* command = NewLocalCommand(app, invocation, name, description);
  AddFarmFlags(*command, invocation);
  return command;
}

void AddFormat(CLI::App& command, std::string& format) {
  command.add_option("--format", format, "How to print: table or json")
      ->check(CLI::IsMember({"table", "json"}))
      ->type_name("FORMAT");
}

int Fail(const absl::Status& status) {
  const absl::string_view message = status.message();
  std::fprintf(stderr, "manyarch: %.*s\n", static_cast<int>(message.size()), message.data());
  return ExitCodeFor(status);
}

void Print(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

int RunApp(int argc, char** argv) {
  CLI::App app("One source tree, one image tag, every architecture.", "manyarch");
  app.set_version_flag("--version", absl::StrCat("manyarch ", kVersion));
  app.allow_extras();
  app.get_formatter()->column_width(34);
  Invocation invocation;
  AddFarmFlags(app, invocation);
  for (const auto add :
       {AddBuild, AddJobs, AddShow, AddLogs, AddAttach, AddWait, AddWhy, AddRetry, AddCancel,
        AddWorkers, AddVersion, AddDev, AddImage, AddDoctor, AddFarms, AddCompletion}) {
    add(app, invocation);
  }
  app.footer(
      "Exit status: 0 ok, 1 the build failed, 2 usage, 3 infrastructure or unschedulable,\n"
      "4 not permitted, 124 timeout, 130 cancelled.");
  if (const std::optional<int> code = RunHidden(app, argc, argv)) return *code;
  // `__check ARG…` tells whether the arguments are sound, and does nothing: for tests of documents.
  const bool check_only = argc > 1 && absl::string_view(argv[1]) == "__check";
  if (check_only) {
    --argc;
    ++argv;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    // A misspelt flag is the likelier cause of whatever else is wrong with the line.
    const CLI::App* command = Innermost(app);
    const std::string leftover = command == &app ? "" : Leftover(*command);
    return Usage(leftover.empty() ? error.what() : leftover, command);
  }
  const CLI::App* command = Innermost(app);
  if (command == &app) {
    const std::vector<std::string> rest = app.remaining();
    if (!rest.empty()) return Usage(Leftover(app), &app);
    std::fputs(app.help().c_str(), stderr);
    return kExitUsage;
  }
  for (const CLI::App* at = command; at != nullptr; at = at->get_parent()) {
    if (const std::string sentence = Leftover(*at); !sentence.empty()) return Usage(sentence, at);
  }
  if (check_only) return kExitOk;
  if (command->get_option_no_throw("--controller") != nullptr) {
    const auto address = ChooseController(invocation.controller, invocation.farm,
                                          // NOLINTNEXTLINE(concurrency-mt-unsafe): never changed.
                                          [](const char* name) { return getenv(name); });
    if (!address.ok()) return Usage(std::string(address.status().message()), command);
    invocation.controller = *address;
  }
  std::signal(SIGPIPE, SIG_IGN);
  if (invocation.verbose) {
    if (const absl::Status status = InitLogging("manyarch", "debug"); !status.ok()) {
      return Fail(status);
    }
  }
  return invocation.run();
}

}  // namespace manyarch::cli
