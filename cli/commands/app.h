// The command line of `manyarch`.
#pragma once

namespace manyarch::cli {

// Parses the arguments, runs the command and returns the exit status.
int RunApp(int argc, char** argv);

}  // namespace manyarch::cli
