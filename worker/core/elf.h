// Which machines programs are for, as their ELF headers say. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "common/base/platform.h"

namespace manyarch::worker {

// What the programs of an architecture have in their headers, and where the loaders are that
// programs for it name. The variants of arm cannot be told apart by it.
struct ElfTarget {
  const char* arch;  // As in Platform.
  uint16_t machine;  // e_machine
  int bits;
  bool big_endian;
  std::vector<const char*> loaders;  // Of glibc and musl; empty for architectures none builds for.
};

// Null where `arch` is not known.
const ElfTarget* FindElfTarget(absl::string_view arch);

// The loaders of all architectures, each path once.
std::vector<std::string> AllElfLoaders();

// As much of an ELF file as ParseElf looks at.
inline constexpr size_t kElfHeadBytes = 20;

struct ElfHead {
  uint16_t machine = 0;
  int bits = 0;
  bool big_endian = false;
  bool loadable = false;  // A program or a shared library, as opposed to an object or a core dump.
};

// Nothing where `head`, the beginning of a file, is not that of an ELF file.
std::optional<ElfHead> ParseElf(absl::string_view head);

// Whether such a program may stand in an image of the platform: its own machine, word size and byte
// order; 386 programs in amd64 images too, because every amd64 machine runs them. True where the
// platform's architecture is not known here: there is nothing to compare with.
bool BelongsIn(const ElfHead& elf, const Platform& platform);

// "arm64", or "machine 243 (64 bit, big endian)" where no known architecture is like that.
std::string ArchitectureOf(const ElfHead& elf);
bool IsKnownArchitecture(const ElfHead& elf);

}  // namespace manyarch::worker
