// What the daemons' command lines have in common: flags, MANYARCH_* environment and a config file,
// in that order of precedence.
#pragma once

#include <string>
#include <vector>

#include "CLI/CLI.hpp"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace manyarch {

// The arguments for CLI11, with those the environment gives in front unless the command line has
// them itself: "--state-dir" is MANYARCH_STATE_DIR. (CLI11 alone would let a config file win over
// the environment.)
std::vector<std::string> ArgsWithEnvironment(const CLI::App& app, int argc, char** argv);

// Parses, or writes manual pages where `--man-pages DIR` is all that is given; the exit code to
// leave with (0 after --help and --version, 2 for bad usage), or -1 to go on.
int ParseArgs(CLI::App& app, int argc, char** argv);

// "90s", "30m", "2h", or a plain number of seconds; not negative.
absl::StatusOr<absl::Duration> ParseDurationFlag(absl::string_view flag, const std::string& text);

struct HostPort {
  std::string host;
  int port = 0;
};
// "HOST:PORT" or "[V6]:PORT", port 0 to 65535.
absl::StatusOr<HostPort> ParseHostPortFlag(absl::string_view flag, absl::string_view text);

}  // namespace manyarch
