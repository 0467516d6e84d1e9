#include "common/base/build_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/base/worker_values.h"

namespace manyarch {
namespace {

using ::testing::HasSubstr;

TEST(BuildValues, SecretIdsAreFileNamesWithoutSurprises) {
  for (const char* good : {"a", "npm.rc", "my-token_2", "..."}) {
    EXPECT_TRUE(CheckSecretId("secret", good).ok()) << good;
  }
  for (const std::string bad : {"", ".", "..", "a/b", "a,src=/etc/shadow", "a b", "a=b", "-\n"}) {
    EXPECT_FALSE(CheckSecretId("secret", bad).ok()) << bad;
  }
  EXPECT_FALSE(CheckSecretId("secret", std::string(129, 'a')).ok());
  EXPECT_THAT(std::string(CheckSecretId("ssh key", "a,b").message()),
              HasSubstr("the ssh key id 'a,b' is not valid"));
}

TEST(BuildValues, AddedHostsAreNamesWithAddresses) {
  for (const char* good :
       {"db:10.0.0.1", "a.example.com:::1", "h:fe80::1:2", "_x:1:2:3:4:5:6:7:8"}) {
    EXPECT_TRUE(CheckAddedHost(good).ok()) << good;
  }
  for (const char* bad : {"", "db", "db:", ":10.0.0.1", "db:10.0.0", "db:10.0.0.256", "db:x",
                          "a,b:10.0.0.1", "-db:10.0.0.1", "db:1:2", "db:1::2::3", "db:::::1",
                          "db:12345::1", "db:10.0.0.1\n", "db:10.0.0.1,evil:10.0.0.2"}) {
    EXPECT_FALSE(CheckAddedHost(bad).ok()) << bad;
  }
  EXPECT_THAT(std::string(CheckAddedHost("h:host-gateway").message()), HasSubstr("127.0.0.1"));
}

TEST(BuildValues, MemoryIsSpelledInOneWayEverywhere) {
  const std::pair<const char*, int64_t> rows[] = {
      {"8388608", int64_t{8} << 20}, {"8388608b", int64_t{8} << 20}, {"65536k", int64_t{64} << 20},
      {"4096m", int64_t{4} << 30},   {"16g", int64_t{16} << 30},     {"16G", int64_t{16} << 30},
      {"64GiB", int64_t{64} << 30},  {"4.5gib", int64_t{9} << 29},   {"2tb", int64_t{2} << 40}};
  for (const auto& [text, bytes] : rows) {
    const auto memory = ParseMemory(text);
    ASSERT_TRUE(memory.ok()) << text << ": " << memory.status();
    EXPECT_EQ(*memory, bytes) << text;
  }
  for (const char* bad : {"", "lots", "-1", "1e99", "4i", "4 GiB", "g", "1.2.3g", "16", "9999t"}) {
    EXPECT_FALSE(ParseMemory(bad).ok()) << bad;
  }
}

TEST(WorkerValues, ALabelIsTextAndMemoryIsASize) {
  for (const char* good : {"64GiB", "16g", "4096m", "4.5GiB", "68719476736"}) {
    EXPECT_TRUE(CheckWorkerLabel("memory", good).ok()) << good;
  }
  for (const char* bad : {"", "lots", "-1", "1e99", "4i", "16", "0"}) {
    EXPECT_THAT(
        std::string(CheckWorkerLabel("memory", bad).message()),
        HasSubstr("'memory=" + std::string(bad) + "' is not the memory of a machine: write "))
        << bad;
  }
  EXPECT_TRUE(CheckWorkerLabel("disk", "lots").ok());
  EXPECT_EQ(CheckWorkerLabel("zone", "a\x1b").message(),
            "the worker's label 'zone=a\\x1b' has control characters in it: choose another");
  EXPECT_EQ(CheckWorkerLabel("zone", "\xff").message(),
            "the worker's label 'zone=\\xff' is not UTF-8: choose another");
  EXPECT_FALSE(CheckWorkerText("name", "a\nb").ok());
}

TEST(BuildValues, NetworksAreTheWorkersOrNone) {
  for (const char* good : {"", "default", "host", "none"}) EXPECT_TRUE(CheckNetwork(good).ok());
  for (const char* bad : {"bridge", "ns:/proc/1/ns/net", "private", "Host"}) {
    EXPECT_FALSE(CheckNetwork(bad).ok()) << bad;
  }
}

TEST(BuildValues, NamesHaveNoEqualsSignAndNothingHasANul) {
  EXPECT_TRUE(CheckName("label", "org.example/x").ok());
  EXPECT_FALSE(CheckName("label", "").ok());
  EXPECT_FALSE(CheckName("label", "a=b").ok());
  EXPECT_FALSE(CheckName("label", std::string("a\0b", 3)).ok());
  EXPECT_FALSE(CheckText("target", std::string("a\0b", 3)).ok());
  EXPECT_TRUE(CheckText("target", "--evil").ok());
}

TEST(BuildValues, LimitsHaveLimits) {
  EXPECT_TRUE(CheckMemory(0).ok());
  EXPECT_TRUE(CheckMemory(int64_t{512} << 20).ok());
  EXPECT_FALSE(CheckMemory(-1).ok());
  EXPECT_FALSE(CheckMemory(1000).ok());
  EXPECT_TRUE(CheckCpus(500).ok());
  EXPECT_FALSE(CheckCpus(1).ok());
  EXPECT_FALSE(CheckCpus(-500).ok());
  EXPECT_TRUE(CheckTimestamp(0).ok());
  EXPECT_FALSE(CheckTimestamp(-1).ok());
  EXPECT_FALSE(CheckTimestamp(int64_t{1} << 60).ok());
}

}  // namespace
}  // namespace manyarch
