#include "worker/core/elf.h"

#include <gtest/gtest.h>

namespace manyarch::worker {
namespace {

// The beginning of an ELF file.
std::string Head(int bits, bool big_endian, uint16_t machine, uint16_t type = 2) {
  std::string head =
      "\x7f"
      "ELF";
  head.push_back(static_cast<char>(bits == 64 ? 2 : 1));
  head.push_back(static_cast<char>(big_endian ? 2 : 1));
  head.push_back(1);
  head.resize(16);
  for (const uint16_t half : {type, machine}) {
    const char high = static_cast<char>(half >> 8);
    const char low = static_cast<char>(half);
    head += big_endian ? std::string{high, low} : std::string{low, high};
  }
  return head;
}

struct Row {
  const char* arch;
  int bits;
  bool big_endian;
  uint16_t machine;
};
// The numbers are those of the System V ABI supplements, not taken from the code.
constexpr Row kRows[] = {
    {"amd64", 64, false, 62},   {"386", 32, false, 3},       {"arm64", 64, false, 183},
    {"arm", 32, false, 40},     {"ppc64le", 64, false, 21},  {"ppc64", 64, true, 21},
    {"s390x", 64, true, 22},    {"riscv64", 64, false, 243}, {"loong64", 64, false, 258},
    {"mips64le", 64, false, 8}, {"mips64", 64, true, 8},     {"mipsle", 32, false, 8},
    {"mips", 32, true, 8},
};

TEST(Elf, EveryArchitectureIsToldByItsHeader) {
  for (const Row& row : kRows) {
    const auto elf = ParseElf(Head(row.bits, row.big_endian, row.machine));
    ASSERT_TRUE(elf.has_value()) << row.arch;
    EXPECT_TRUE(elf->loadable);
    EXPECT_EQ(ArchitectureOf(*elf), row.arch);
    EXPECT_TRUE(IsKnownArchitecture(*elf));
  }
}

TEST(Elf, AProgramBelongsInImagesOfItsOwnArchitectureAnd386InAmd64Too) {
  for (const Row& image : kRows) {
    for (const Row& program : kRows) {
      const ElfHead elf = *ParseElf(Head(program.bits, program.big_endian, program.machine));
      const bool same = std::string(image.arch) == program.arch;
      const bool multilib =
          std::string(image.arch) == "amd64" && std::string(program.arch) == "386";
      EXPECT_EQ(BelongsIn(elf, {"linux", image.arch, ""}), same || multilib)
          << program.arch << " in " << image.arch;
    }
  }
}

TEST(Elf, VariantsOfArmCannotBeToldApart) {
  const ElfHead elf = *ParseElf(Head(32, false, 40));
  for (const char* variant : {"v5", "v6", "v7"}) {
    EXPECT_TRUE(BelongsIn(elf, {"linux", "arm", variant}));
  }
}

TEST(Elf, WordSizeAndByteOrderCountToo) {
  const ElfHead x32 = *ParseElf(Head(32, false, 62));
  EXPECT_FALSE(BelongsIn(x32, {"linux", "amd64", ""}));
  EXPECT_EQ(ArchitectureOf(x32), "machine 62 (32 bit, little endian)");
  EXPECT_FALSE(IsKnownArchitecture(x32));
  EXPECT_FALSE(BelongsIn(*ParseElf(Head(64, true, 183)), {"linux", "arm64", ""}));
}

TEST(Elf, NothingIsForeignToAnUnknownArchitecture) {
  EXPECT_TRUE(BelongsIn(*ParseElf(Head(64, false, 62)), {"linux", "sparc64", ""}));
}

TEST(Elf, ObjectsAreNotPrograms) {
  EXPECT_FALSE(ParseElf(Head(64, false, 62, 1))->loadable);
  EXPECT_TRUE(ParseElf(Head(64, false, 62, 3))->loadable);
  EXPECT_FALSE(ParseElf(Head(64, false, 62, 4))->loadable);
}

TEST(Elf, OtherFilesAreNone) {
  EXPECT_FALSE(ParseElf("").has_value());
  EXPECT_FALSE(ParseElf("#!/bin/sh\nexec something longer\n").has_value());
  EXPECT_FALSE(ParseElf(Head(64, false, 62).substr(0, 19)).has_value());
  std::string odd = Head(64, false, 62);
  odd[4] = 3;
  EXPECT_FALSE(ParseElf(odd).has_value());
  odd = Head(64, false, 62);
  odd[5] = 0;
  EXPECT_FALSE(ParseElf(odd).has_value());
}

}  // namespace
}  // namespace manyarch::worker
