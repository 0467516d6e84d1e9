// Where `manyarch dev` keeps things and finds its parts.
#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace manyarch::cli {

// $XDG_DATA_HOME/manyarch/dev, ~/.local/share/manyarch/dev, or /var/lib/manyarch/dev for root.
std::string DefaultStateDir();

// A program of manyarch: beside this one, else on PATH.
absl::StatusOr<std::string> FindSibling(const std::string& name);

// A worker's name where none is given: this machine's.
std::string HostName();

// The last `lines` lines of a file, indented; empty where it cannot be read.
std::string FileTail(const std::string& path, size_t lines);

// Holds a state directory for one `dev` at a time, until the process ends. FAILED_PRECONDITION when
// another one has it.
absl::Status LockDirectory(const std::string& directory);

}  // namespace manyarch::cli
