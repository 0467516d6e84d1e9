// Manual pages from the very description of a command line that --help prints.
#pragma once

#include <string>

#include "CLI/CLI.hpp"
#include "absl/status/status.h"

namespace manyarch {

// The page of one command, in roff's man macros, section 1: its words, commands and flags as --help
// has them; what is hidden there is left out here. Names are made of the command and those above
// it: "manyarch-image-create". The same text for the same command line, for ever.
std::string ManPage(const CLI::App& command);

// "manyarch-image-create"
std::string ManPageName(const CLI::App& command);

// The pages of a command and of all below it, as NAME.1 in the directory.
absl::Status WriteManPages(const CLI::App& command, const std::string& directory);

}  // namespace manyarch
