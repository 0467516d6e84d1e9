#include "worker/cache/materialise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "tests/worker/cache/memory_source.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

class MaterialiseTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(MakeDirs(target_).ok()); }

  absl::Status Make(const v1::Directory& root, const TreeLimits& limits = {}) {
    return Materialise(source_.Add(root), target_, *cache_, source_, stop_, limits);
  }

  // The refusal of a tree, which must leave nothing outside of the target.
  void ExpectRefused(const v1::Directory& root, const std::string& what,
                     const TreeLimits& limits = {}) {
    const absl::Status status = Make(root, limits);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(what));
    EXPECT_EQ(*RunChecked({.argv = {"ls", dir_.path()}}), "cache\ntarget\n");
  }

  v1::Directory Plain() {
    v1::Directory dir;
    dir.set_mode(0755);
    return dir;
  }

  TempDir dir_ = *TempDir::Make();
  std::string target_ = dir_.path() + "/target";
  std::unique_ptr<ContentCache> cache_ = *ContentCache::Open(dir_.path() + "/cache");
  MemorySource source_;
  StopToken stop_;
};

TEST_F(MaterialiseTest, MakesFilesModesLinksAndEmptyDirectoriesExactly) {
  v1::Directory empty = Plain();
  empty.set_mode(01777);
  v1::Directory sub = Plain();
  sub.set_mode(0500);
  AddFile(sub, "big", 11, 0644, {source_.Add("hello "), source_.Add("world")});
  AddDirectory(sub, "empty", source_.Add(empty));
  v1::Directory root = Plain();
  AddFile(root, "none", 0, 0600, {});
  AddFile(root, "run \n\xff", 3, 04755, {source_.Add("abc")});
  AddDirectory(root, "sub", source_.Add(sub));
  AddLink(root, "absolute", "/etc/passwd");
  AddLink(root, "up", "../../x");
  ASSERT_TRUE(Make(root).ok());
  struct stat info = {};
  const auto mode = [&](const std::string& path) {
    EXPECT_EQ(lstat((target_ + "/" + path).c_str(), &info), 0) << path;
    EXPECT_EQ(info.st_mtime, kTreeTime) << path;
    return info.st_mode & 07777;
  };
  EXPECT_EQ(mode(""), 0755u);
  EXPECT_EQ(mode("none"), 0600u);
  EXPECT_EQ(info.st_size, 0);
  EXPECT_EQ(mode("run \n\xff"), 04755u);
  EXPECT_EQ(mode("sub"), 0500u);
  EXPECT_EQ(mode("sub/empty"), 01777u);
  EXPECT_EQ(mode("sub/big"), 0644u);
  EXPECT_EQ(*ReadFile(target_ + "/sub/big"), "hello world");
  mode("up");
  char link[100] = {};
  ASSERT_GT(readlink((target_ + "/absolute").c_str(), link, sizeof link - 1), 0);
  EXPECT_STREQ(link, "/etc/passwd");
}

TEST_F(MaterialiseTest, FetchesEachBlobOnceAndNothingTheSecondTime) {
  v1::Directory leaf = Plain();
  AddFile(leaf, "f", 1, 0644, {source_.Add("x")});
  v1::Directory root = Plain();
  for (const char* name : {"a", "b", "c"}) AddDirectory(root, name, source_.Add(leaf));
  ASSERT_TRUE(Make(root).ok());
  EXPECT_EQ(source_.fetched, 3);
  ASSERT_TRUE(RemoveTree(target_).ok() && MakeDirs(target_).ok());
  ASSERT_TRUE(Make(root).ok());
  EXPECT_EQ(source_.fetched, 3);
  EXPECT_EQ(*ReadFile(target_ + "/c/f"), "x");
}

TEST_F(MaterialiseTest, RefusesNamesThatAreNotPlain) {
  for (const std::string& name : std::vector<std::string>{
           "..", ".", "", "a/b", "/etc", std::string("a\0b", 3), std::string(256, 'n')}) {
    v1::Directory file = Plain(), link = Plain(), dir = Plain();
    AddFile(file, name, 1, 0644, {source_.Add("x")});
    ExpectRefused(file, "the context is not acceptable");
    AddLink(link, name, "x");
    ExpectRefused(link, "the context is not acceptable");
    AddDirectory(dir, name, source_.Add(Plain()));
    ExpectRefused(dir, "the context is not acceptable");
  }
}

TEST_F(MaterialiseTest, NamesThePathOfWhatItRefuses) {
  v1::Directory sub = Plain();
  AddFile(sub, "..", 0, 0644, {});
  v1::Directory root = Plain();
  AddDirectory(root, "sub", source_.Add(sub));
  ExpectRefused(root, "'sub/..'");
}

TEST_F(MaterialiseTest, RefusesANameThatIsLinkAndDirectoryAtOnce) {
  // Where both were made, what is in the directory would be written where the link leads.
  v1::Directory inside = Plain();
  AddFile(inside, "f", 1, 0644, {source_.Add("x")});
  v1::Directory root = Plain();
  AddDirectory(root, "d", source_.Add(inside));
  AddLink(root, "d", dir_.path());
  ExpectRefused(root, "'d' comes twice");
}

TEST_F(MaterialiseTest, RefusesWrongOrderModesSizesAndDigests) {
  v1::Directory unsorted = Plain();
  AddFile(unsorted, "b", 0, 0644, {});
  AddFile(unsorted, "a", 0, 0644, {});
  ExpectRefused(unsorted, "'a' is out of order");
  v1::Directory device = Plain();
  AddFile(device, "null", 0, S_IFCHR | 0644, {});
  ExpectRefused(device, "only plain files");
  v1::Directory size = Plain();
  AddFile(size, "f", 2, 0644, {source_.Add("x")});
  ExpectRefused(size, "'f' has a size that does not fit its chunks");
  ASSERT_TRUE(RemoveTree(target_).ok() && MakeDirs(target_).ok());
  v1::Directory longer = Plain();
  AddFile(longer, "f", 1, 0644, {source_.Add("xy")});
  ExpectRefused(longer, "'f' has a size that does not fit its chunks");
  v1::Directory digest = Plain();
  AddFile(digest, "f", 1, 0644, {});
  digest.mutable_files(0)->add_chunks("sha256:../../etc/passwd");
  ExpectRefused(digest, "is not a digest");
  v1::Directory target = Plain();
  AddLink(target, "l", "");
  ExpectRefused(target, "'l' is a symbolic link");
}

TEST_F(MaterialiseTest, RefusesATreeThatExpandsWithoutEndBeforeWritingAnything) {
  v1::Directory dir = Plain();
  AddFile(dir, "f", 1, 0644, {source_.Add("x")});
  for (int level = 0; level < 60; ++level) {
    v1::Directory parent = Plain();
    const Digest digest = source_.Add(dir);
    for (const char* name : {"a", "b", "c", "d"}) AddDirectory(parent, name, digest);
    dir = parent;
  }
  TreeLimits limits;
  limits.max_entries = 10'000;
  ExpectRefused(dir, "over 10000 entries", limits);
  EXPECT_EQ(*RunChecked({.argv = {"ls", target_}}), "");
}

TEST_F(MaterialiseTest, RefusesTooManyBytesAndTooDeep) {
  v1::Directory big = Plain();
  AddFile(big, "f", int64_t{1} << 62, 0644, {source_.Add("x")});
  AddFile(big, "g", int64_t{1} << 62, 0644, {source_.Add("x")});
  ExpectRefused(big, "bytes, counted up to 'f'");
  v1::Directory deep = Plain();
  for (int i = 0; i < 12; ++i) {
    v1::Directory parent = Plain();
    AddDirectory(parent, "d", source_.Add(deep));
    deep = parent;
  }
  TreeLimits limits;
  limits.max_depth = 10;
  ExpectRefused(deep, "more than 10 directories deep", limits);
}

TEST_F(MaterialiseTest, ABlobThatIsNotADirectoryIsRefused) {
  const absl::Status status = Materialise(source_.Add(std::string("\xff\xff\xff not a message")),
                                          target_, *cache_, source_, stop_);
  EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
}

TEST_F(MaterialiseTest, WhatTheSourceLacksIsNotFoundAndStoppingIsCancelled) {
  v1::Directory root = Plain();
  AddFile(root, "f", 1, 0644, {Digest::Of("x")});
  EXPECT_TRUE(absl::IsNotFound(Make(root)));
  stop_.Stop("enough");
  source_.Add("x");
  EXPECT_TRUE(absl::IsCancelled(Make(root)));
}

}  // namespace
}  // namespace manyarch::worker
