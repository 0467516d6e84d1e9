// Names that a shell may complete to and only the farm knows.
#pragma once

#include <string>

#include "absl/types/span.h"
#include "cli/complete.h"
#include "cli/farms.h"

namespace manyarch::cli {

// Adds the jobs, workers, platforms or farms that `completion` asks for. `words` are those of
// Complete: they may name the controller. Within a second, and silently: where nobody answers,
// nothing is added.
void AddNames(absl::Span<const std::string> words, const Getenv& getenv, Completion& completion);

}  // namespace manyarch::cli
