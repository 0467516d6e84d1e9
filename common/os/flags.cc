#include "common/os/flags.h"

#include <cstdlib>
#include <iostream>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/os/man_page.h"

namespace manyarch {

namespace {

constexpr int kUsage = 2;

std::string EnvironmentName(absl::string_view flag) {
  std::string name = absl::StrCat("MANYARCH_", absl::AsciiStrToUpper(flag.substr(2)));
  for (char& c : name) c = c == '-' ? '_' : c;
  return name;
}

}  // namespace

std::vector<std::string> ArgsWithEnvironment(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  std::vector<std::string> all;
  for (const CLI::Option* option : app.get_options()) {
    if (option->get_lnames().empty()) continue;
    const std::string flag = "--" + option->get_lnames()[0];
    const char* value = std::getenv(EnvironmentName(flag).c_str());
    if (value == nullptr || *value == '\0' || flag == "--help" || flag == "--version") continue;
    bool given = false;
    for (const std::string& arg : args) {
      given = given || arg == flag || absl::StartsWith(arg, flag + "=");
    }
    if (!given) all.push_back(absl::StrCat(flag, "=", value));
  }
  all.insert(all.end(), args.begin(), args.end());
  return all;
}

int ParseArgs(CLI::App& app, int argc, char** argv) {
  if (argc == 3 && absl::string_view(argv[1]) == "--man-pages") {
    const absl::Status written = WriteManPages(app, argv[2]);
    if (!written.ok()) std::cerr << written.message() << "\n";
    return written.ok() ? 0 : 1;
  }
  const std::vector<std::string> args = ArgsWithEnvironment(app, argc, argv);
  try {
    app.parse(std::vector<std::string>(args.rbegin(), args.rend()));  // CLI11 wants them reversed.
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsage;
  }
  return -1;
}

absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag, const std::string& text) {
  absl::Duration duration;
  if ((absl::ParseDuration(text, &duration) || absl::ParseDuration(text + "s", &duration)) &&
      duration >= absl::ZeroDuration()) {
    return duration;
  }
  return absl::InvalidArgumentError(
      absl::StrCat(flag, ": '", text, "' is not a duration; say for example 90s, 30m or 2h"));
}

absl::StatusOr<HostPort> ParseHostPortFlag(absl::string_view flag, absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = -1;
  if (colon == absl::string_view::npos || colon == 0 ||
      !absl::SimpleAtoi(text.substr(colon + 1), &port) || port < 0 || port > 65535) {
    return absl::InvalidArgumentError(absl::StrCat(
        flag, ": '", text, "' is not HOST:PORT; say for example farm.example.com:7460"));
  }
  return HostPort{std::string(text.substr(0, colon)), port};
}

}  // namespace manyarch
