// Unchanged files are not read again; whatever is wrong with the cache, contents are right.
#include "cli/context/digest_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/context/tree.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kSecond = 1'000'000'000;

class DigestCacheTest : public testing::Test {
 protected:
  HashedFile At(const std::string& name) const {
    auto hashed = HashFile(context_.At(name));
    EXPECT_TRUE(hashed.ok()) << hashed.status();
    hashed->settled = true;  // These tests have just written it.
    return *hashed;
  }
  DigestCache Load() const { return DigestCache::Load(caches_.At("d"), context_.path()); }
  std::string CacheFile() const {
    for (const auto& entry : fs::directory_iterator(caches_.At("d"))) return entry.path().string();
    return "";
  }

  Scratch context_;
  Scratch caches_;
};

TEST_F(DigestCacheTest, KnowsAFileForAsLongAsItsStampIsTheSame) {
  std::string large(3 << 20, 'x');
  for (size_t i = 0; i < large.size(); i += 7) large[i] = static_cast<char>(i * 31);
  context_.File("a", large);
  context_.File("empty", "");
  const HashedFile a = At("a");
  const HashedFile empty = At("empty");
  Load().Replace({{"a", a}, {"empty", empty}}, true);
  const DigestCache cache = Load();
  ASSERT_NE(cache.Find("a", a.stamp), nullptr);
  EXPECT_EQ(*cache.Find("a", a.stamp), a.content);
  EXPECT_EQ(*cache.Find("empty", empty.stamp), empty.content);
  EXPECT_EQ(cache.Find("b", a.stamp), nullptr);
  for (int field = 0; field < 6; ++field) {
    FileStamp other = a.stamp;
    if (field == 0) ++other.device;
    if (field == 1) ++other.inode;
    if (field == 2) ++other.size;
    if (field == 3) ++other.mtime;
    if (field == 4) ++other.ctime;
    if (field == 5) other.mode ^= 0100;
    EXPECT_EQ(cache.Find("a", other), nullptr) << field;
  }
}

TEST_F(DigestCacheTest, AFileChangedJustBeforeItWasReadIsReadAgain) {
  context_.File("fresh", "x");
  EXPECT_FALSE(HashFile(context_.At("fresh"))->settled);
  // Its time of change cannot be set, so a file that has been there for long stands for it.
  const auto old = HashFile("/usr/lib/os-release");
  ASSERT_TRUE(old.ok()) << old.status();
  EXPECT_TRUE(old->settled || old->stamp.ctime > absl::GetCurrentTimeNanos() - 3 * kSecond);
  HashedFile unsettled = At("fresh");
  unsettled.settled = false;
  Load().Replace({{"fresh", unsettled}}, true);
  EXPECT_EQ(Load().Find("fresh", unsettled.stamp), nullptr);
}

TEST_F(DigestCacheTest, WhatIsDamagedForeignOrOfAnotherContextIsNotBelieved) {
  context_.File("a", "x");
  const HashedFile a = At("a");
  const auto known = [&] { return Load().Find("a", a.stamp) != nullptr; };
  Load().Replace({{"a", a}}, true);
  ASSERT_TRUE(known());
  std::string bytes = *ReadFile(CacheFile());
  for (const size_t at : {size_t{0}, bytes.size() / 2, bytes.size() - 1}) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 1);
    ASSERT_TRUE(WriteFileAtomic(CacheFile(), damaged, 0600).ok());
    EXPECT_FALSE(known()) << at;
  }
  for (const size_t size : {size_t{0}, size_t{10}, bytes.size() - 1}) {
    ASSERT_TRUE(WriteFileAtomic(CacheFile(), bytes.substr(0, size), 0600).ok());
    EXPECT_FALSE(known()) << size;
  }
  ASSERT_TRUE(WriteFileAtomic(CacheFile(), bytes, 0666).ok());
  EXPECT_FALSE(known()) << "writable by everybody";
  ASSERT_TRUE(WriteFileAtomic(CacheFile(), bytes, 0600).ok());
  EXPECT_TRUE(known());
  EXPECT_EQ(DigestCache::Load(caches_.At("d"), "/elsewhere").Find("a", a.stamp), nullptr);
}

TEST_F(DigestCacheTest, ACacheThatCannotBeWrittenDoesNoHarm) {
  context_.File("a", "x");
  const HashedFile a = At("a");
  caches_.File("d", "a file where the directory would be");
  Load().Replace({{"a", a}}, true);
  EXPECT_EQ(Load().Find("a", a.stamp), nullptr);
  DigestCache().Replace({{"a", a}}, true);
}

TEST_F(DigestCacheTest, KeepsOnlySoManyContexts) {
  context_.File("a", "x");
  const HashedFile a = At("a");
  for (int i = 0; i < 120; ++i) {
    DigestCache::Load(caches_.At("d"), absl::StrCat("/context/", i)).Replace({{"a", a}}, true);
  }
  size_t files = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(caches_.At("d"))) ++files;
  EXPECT_EQ(files, 100u);
  EXPECT_NE(DigestCache::Load(caches_.At("d"), "/context/119").Find("a", a.stamp), nullptr);
}

// A tree is the same with and without the cache, and an unchanged file is not opened.
TEST_F(DigestCacheTest, TreesFromTheCacheAreTheSame) {
  context_.File("Containerfile", "FROM x");
  context_.File("sub/a", "x");
  const auto place = LocateContext(context_.path(), "");
  const auto root = WalkContext(*place);
  const auto before = BuildTree(place->directory, *root, DigestCache(), 2);
  DigestCache::Files files = {{"Containerfile", At("Containerfile")}, {"sub/a", At("sub/a")}};
  Load().Replace(files, true);
  // Were it read, the tree would be another one.
  files[1].second.content.chunks[0].digest = Digest::Of("from the cache").ToString();
  const auto with_cache = BuildTree(place->directory, *root, Load(), 2);
  EXPECT_EQ(with_cache->root, before->root);
  Load().Replace(files, true);
  EXPECT_NE(BuildTree(place->directory, *root, Load(), 2)->root, before->root);
}

TEST(DigestCacheDirectory, FollowsTheEnvironment) {
  EXPECT_EQ(DigestCacheDirectory([](const char* name) -> const char* {
              return std::string(name) == "HOME" ? "/home/me" : nullptr;
            }),
            "/home/me/.cache/manyarch/digests");
  EXPECT_EQ(DigestCacheDirectory([](const char* name) -> const char* {
              return std::string(name) == "HOME" ? "/home/me" : "/cache";
            }),
            "/cache/manyarch/digests");
  EXPECT_EQ(DigestCacheDirectory([](const char*) -> const char* { return nullptr; }), "");
}

}  // namespace
}  // namespace manyarch::cli
