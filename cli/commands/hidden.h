// What shells and the build ask of this program: commands that --help does not show.
#pragma once

#include <optional>

#include "CLI/CLI.hpp"

namespace manyarch::cli {

// `__complete -- WORD…`: what the last word may be completed to. `__man DIR`: a manual page there
// for every command. Nothing where the arguments are neither; else the exit status.
std::optional<int> RunHidden(const CLI::App& app, int argc, char** argv);

}  // namespace manyarch::cli
