// The flags of commands that speak to registries themselves.
#pragma once

#include "CLI/CLI.hpp"
#include "cli/image/access.h"

namespace manyarch::cli {

void AddRegistryFlags(CLI::App& command, image::RegistryFlags& flags);

}  // namespace manyarch::cli
