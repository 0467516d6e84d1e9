// Tiny static ELF programs, one for each architecture, made byte by byte: proof that a machine runs
// an architecture must not depend on a cross compiler or on files brought along. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/platform.h"

namespace manyarch::worker {

// The platforms there is a program for: linux on amd64, 386, arm64, arm/v7, arm/v6, ppc64le, s390x,
// riscv64.
std::vector<Platform> PlatformsWithTinyProgram();

// The bytes of a static executable that waits for a byte of its standard input, or its end, and
// does nothing then but exit(code). `platform` is one of PlatformsWithTinyProgram(); empty for any
// other. The program of arm/v7 has an instruction that v6
// lacks.
std::string TinyProgram(const Platform& platform, uint8_t code);

}  // namespace manyarch::worker
