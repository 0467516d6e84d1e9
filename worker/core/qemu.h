// The names of qemu's user mode emulators. Pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace manyarch::worker {

// What qemu calls an architecture: "aarch64" for arm64.
std::string QemuName(absl::string_view arch);

// The architecture whose programs an emulator runs, by the path of its program: arm64 for
// "/usr/bin/qemu-aarch64-static". Empty for what is not called like one of qemu's.
std::string EmulatedArch(absl::string_view program);

}  // namespace manyarch::worker
