// What a finished build leaves on the screen.
#pragma once

#include <string>

#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// For stdout: each tag with the list's digest, then each platform with its own.
std::string ResultText(const v1::Job& job);

// For stderr, when a job did not succeed: per failed platform the step, the end of its output and
// the command that shows all of it. `note` lines are for people. Empty when there is nothing to
// tell.
std::string FailureText(const v1::Job& job);

}  // namespace manyarch::cli
