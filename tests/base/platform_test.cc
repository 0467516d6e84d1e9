#include "common/base/platform.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace manyarch {
namespace {

using ::testing::HasSubstr;

TEST(ParsePlatform, BringsEverySpellingIntoNormalForm) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"linux/amd64", "linux/amd64"},
      {"amd64", "linux/amd64"},
      {"LINUX/AMD64", "linux/amd64"},
      {"x86_64", "linux/amd64"},
      {"linux/x86-64", "linux/amd64"},
      {"linux/amd64/v1", "linux/amd64"},
      {"linux/amd64/v2", "linux/amd64/v2"},
      {"linux/x86_64/v3", "linux/amd64/v3"},
      {"i386", "linux/386"},
      {"aarch64", "linux/arm64"},
      {"arm64v8", "linux/arm64"},
      {"linux/arm64/v8", "linux/arm64"},
      {"linux/arm64/8", "linux/arm64"},
      {"arm", "linux/arm/v7"},
      {"linux/arm", "linux/arm/v7"},
      {"linux/arm/7", "linux/arm/v7"},
      {"arm/v7", "linux/arm/v7"},
      {"arm/6", "linux/arm/v6"},
      {"linux/arm/5", "linux/arm/v5"},
      {"linux/arm/8", "linux/arm/v8"},
      {"armhf", "linux/arm/v7"},
      {"armv7l", "linux/arm/v7"},
      {"arm32v7", "linux/arm/v7"},
      {"armel", "linux/arm/v6"},
      {"armv6l", "linux/arm/v6"},
      {"macos/arm64", "darwin/arm64"},
      {"windows/amd64", "windows/amd64"},
      {" linux/s390x ", "linux/s390x"},
      {"ppc64le", "linux/ppc64le"},
      {"riscv64", "linux/riscv64"},
  };
  for (const auto& [text, want] : table) {
    const auto got = ParsePlatform(text);
    ASSERT_TRUE(got.ok()) << text << ": " << got.status();
    EXPECT_EQ(ToString(*got), want) << text;
    const auto again = ParsePlatform(ToString(*got));
    ASSERT_TRUE(again.ok()) << want;
    EXPECT_EQ(*again, *got) << "the normal form of " << text << " must be its own normal form";
  }
}

TEST(ParsePlatform, RefusesAndNamesTheNearestKnownOne) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"linux/amd46", "unknown platform 'linux/amd46': did you mean 'linux/amd64'?"},
      {"amd46", "did you mean 'linux/amd64'?"},
      {"linus/arm64", "did you mean 'linux/arm64'?"},
      {"linux/x64", "did you mean 'linux/amd64'?"},
      {"linux/aarch46", "did you mean 'linux/arm64'?"},
      {"linux/amr/v6", "did you mean 'linux/arm/v6'?"},
      {"linux/armhv", "did you mean 'linux/arm/v7'?"},
      {"linux/s390", ""},  // A known architecture, if an old one.
      {"windwos/amd46", "did you mean 'windows/amd64'?"},
      {"linux", "names only an operating system"},
      {"", "empty platform"},
      {"linux/", "empty part at position 7"},
      {"/amd64", "empty part at position 1"},
      {"linux/arm/v7/x", "has 4 parts"},
      {"linux/am d64", "has ' ' at position 9"},
      {"linux/arm/v9", "unknown variant 'v9' of 'arm': known are v5, v6, v7, v8"},
      {"linux/s390x/v7", "has no variants: did you mean 'linux/s390x'?"},
      {"linux/amd64/v9", "unknown variant"},
  };
  for (const auto& [text, want] : table) {
    const auto got = ParsePlatform(text);
    if (want.empty()) {
      EXPECT_TRUE(got.ok()) << got.status();
      continue;
    }
    ASSERT_FALSE(got.ok()) << text;
    EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(got.status().message()), HasSubstr(want)) << text;
  }
}

TEST(ParsePlatform, NeverEchoesControlCharacters) {
  const auto got = ParsePlatform("linux/\x1b[31m");
  ASSERT_FALSE(got.ok());
  EXPECT_EQ(std::string(got.status().message()).find('\x1b'), std::string::npos);
}

std::string Join(const std::vector<Platform>& list) {
  std::string out;
  for (const Platform& p : list) out += (out.empty() ? "" : " ") + ToString(p);
  return out;
}

TEST(ParsePlatformList, PutsAmd64FirstAndKeepsTheOrderOfTheRest) {
  const std::vector<std::string> items = {"linux/s390x,arm", "linux/amd64/v3, linux/amd64",
                                          "arm64"};
  const auto got = ParsePlatformList(items);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(Join(*got), "linux/amd64 linux/amd64/v3 linux/s390x linux/arm/v7 linux/arm64");
}

TEST(ParsePlatformList, RefusesDuplicatesNamingBothSpellings) {
  const auto got = ParsePlatformList(std::vector<std::string>{"linux/arm64,aarch64"});
  ASSERT_FALSE(got.ok());
  EXPECT_THAT(std::string(got.status().message()),
              HasSubstr("'linux/arm64' and 'aarch64' are both 'linux/arm64'"));
}

TEST(ParsePlatformList, RefusesEmptyListsAndItems) {
  EXPECT_FALSE(ParsePlatformList({}).ok());
  for (const std::string item : {"", "linux/amd64,", ",linux/amd64", "linux/amd64,,arm64"}) {
    const auto got = ParsePlatformList(std::vector<std::string>{item});
    ASSERT_FALSE(got.ok()) << item;
    EXPECT_THAT(std::string(got.status().message()), HasSubstr("empty item"));
  }
}

TEST(NormalPlatform, KeepsUnknownNamesInLowerCase) {
  EXPECT_EQ(ToString(NormalPlatform("Plan9", "VAX", "")), "plan9/vax");
  EXPECT_EQ(ToString(NormalPlatform("", "", "")), "/");
}

TEST(ListForm, WritesTheVariantsOldClientsNeed) {
  EXPECT_EQ(ToString(ListForm({"linux", "arm64", ""})), "linux/arm64/v8");
  EXPECT_EQ(ToString(ListForm({"linux", "arm", "v6"})), "linux/arm/v6");
  EXPECT_EQ(ToString(ListForm({"linux", "arm", ""})), "linux/arm/v7");
  EXPECT_EQ(ToString(ListForm({"linux", "amd64", ""})), "linux/amd64");
}

TEST(ArchTagSuffix, TellsPlatformsApart) {
  EXPECT_EQ(ArchTagSuffix({"linux", "amd64", ""}), "amd64");
  EXPECT_EQ(ArchTagSuffix({"linux", "arm64", ""}), "arm64");
  EXPECT_EQ(ArchTagSuffix({"linux", "arm", "v7"}), "armv7");
  EXPECT_EQ(ArchTagSuffix({"linux", "amd64", "v3"}), "amd64v3");
  EXPECT_EQ(ArchTagSuffix({"windows", "amd64", ""}), "windows-amd64");
}

TEST(Compare, TakesVariantsInNormalForm) {
  const Platform arm64{"linux", "arm64", ""};
  EXPECT_EQ(Compare(arm64, {"linux", "arm64", "v8"}), PlatformMatch::kExact);
  EXPECT_EQ(Compare(arm64, {"linux", "amd64", ""}), PlatformMatch::kDifferent);
  EXPECT_EQ(Compare(arm64, {"windows", "arm64", ""}), PlatformMatch::kDifferent);
  EXPECT_EQ(Compare({"linux", "arm", "v6"}, {"linux", "arm", "v7"}),
            PlatformMatch::kVariantDiffers);
  EXPECT_EQ(Compare({"linux", "arm", "v7"}, {"linux", "arm", ""}), PlatformMatch::kExact);
}

}  // namespace
}  // namespace manyarch
