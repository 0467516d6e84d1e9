#include "common/os/disk.h"

#include <gtest/gtest.h>

#include "common/os/files.h"

namespace manyarch {
namespace {

constexpr int64_t kGiB = int64_t{1} << 30;

TEST(DiskTest, TellsTheRoomOfTheDiskThatAPathIsOn) {
  const auto space = DiskSpaceAt(TempRoot());
  ASSERT_TRUE(space.ok()) << space.status();
  EXPECT_GT(space->size, 0);
  EXPECT_LE(space->free, space->size);
  EXPECT_FALSE(DiskSpaceAt("/no/such/path").ok());
}

TEST(DiskTest, TheSmallerOneOfAShareAndASizeIsKeptFree) {
  const DiskSpace small{kGiB, 10 * kGiB};
  const DiskSpace large{kGiB, 1000 * kGiB};
  const MinFree both = *ParseMinFreeFlag("--min-free", "5%,2GiB");
  EXPECT_EQ(both.Of(small), kGiB / 2);
  EXPECT_EQ(both.Of(large), 2 * kGiB);
  EXPECT_EQ(ParseMinFreeFlag("--min-free", "10%")->Of(small), kGiB);
  EXPECT_EQ(ParseMinFreeFlag("--min-free", "1.5 GiB")->Of(large), kGiB * 3 / 2);
  EXPECT_EQ(ParseMinFreeFlag("--min-free", "4096")->Of(large), 4096);
  EXPECT_EQ(ParseMinFreeFlag("--min-free", "0")->Of(large), 0);
}

TEST(DiskTest, WhatIsNoAmountIsRefusedWithAnExample) {
  for (const char* text : {"", "much", "-1", "100%", "5GB!", "1e30", "5%,", "nan"}) {
    const auto parsed = ParseMinFreeFlag("--min-free", text);
    EXPECT_FALSE(parsed.ok()) << text;
    if (!parsed.ok()) {
      EXPECT_NE(parsed.status().message().find("for example 2GiB"), absl::string_view::npos);
    }
  }
}

TEST(DiskTest, SizesReadWell) {
  EXPECT_EQ(ShowBytes(0), "0 bytes");
  EXPECT_EQ(ShowBytes(1536), "1.5 KiB");
  EXPECT_EQ(ShowBytes(2 * kGiB), "2.0 GiB");
}

}  // namespace
}  // namespace manyarch
