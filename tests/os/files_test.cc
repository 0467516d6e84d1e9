#include "common/os/files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "common/os/directories.h"

namespace manyarch {
namespace {

using ::testing::HasSubstr;

class FilesTest : public ::testing::Test {
 protected:
  std::string In(absl::string_view name) { return dir_.path() + "/" + std::string(name); }

  TempDir dir_ = *TempDir::Make("files-test-");
};

TEST_F(FilesTest, AtomicWriteReplacesContentAndSetsTheModeWhateverTheUmask) {
  const mode_t before = umask(0077);
  ASSERT_TRUE(WriteFileAtomic(In("f"), "one").ok());
  ASSERT_TRUE(WriteFileAtomic(In("f"), std::string("t\0o", 3), 0640).ok());
  umask(before);
  EXPECT_EQ(*ReadFile(In("f")), std::string("t\0o", 3));
  struct stat info = {};
  ASSERT_EQ(stat(In("f").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640u);
}

TEST_F(FilesTest, AtomicWriteThatFailsLeavesNoTemporaryFileBehind) {
  ASSERT_TRUE(MakeDirs(In("d/inside")).ok());
  const absl::Status status = WriteFileAtomic(In("d"), "x");  // A directory is in the way.
  EXPECT_THAT(std::string(status.message()), HasSubstr(In("d")));
  int entries = 0;
  for ([[maybe_unused]] const auto& e : std::filesystem::directory_iterator(dir_.path())) ++entries;
  EXPECT_EQ(entries, 1);
}

TEST_F(FilesTest, ReadingWhatIsNotThereIsNotFoundAndNamesThePath) {
  const auto bytes = ReadFile(In("absent"));
  EXPECT_TRUE(absl::IsNotFound(bytes.status()));
  EXPECT_THAT(std::string(bytes.status().message()), HasSubstr("absent"));
}

TEST_F(FilesTest, MakeDirsMakesParentsAndAcceptsWhatIsThereButNotAFile) {
  EXPECT_TRUE(MakeDirs(In("a/b/c")).ok());
  EXPECT_TRUE(MakeDirs(In("a/b/c/")).ok());
  ASSERT_TRUE(WriteFileAtomic(In("file"), "").ok());
  EXPECT_FALSE(MakeDirs(In("file")).ok());
  EXPECT_FALSE(MakeDirs(In("file/below")).ok());
}

TEST_F(FilesTest, RemoveTreeDoesNotFollowLinks) {
  ASSERT_TRUE(MakeDirs(In("keep")).ok());
  ASSERT_TRUE(WriteFileAtomic(In("keep/f"), "x").ok());
  ASSERT_TRUE(MakeDirs(In("gone")).ok());
  ASSERT_EQ(symlink(In("keep").c_str(), In("gone/link").c_str()), 0);
  EXPECT_TRUE(RemoveTree(In("gone")).ok());
  EXPECT_FALSE(PathExists(In("gone")));
  EXPECT_TRUE(PathExists(In("keep/f")));
  EXPECT_TRUE(RemoveTree(In("gone")).ok());
}

TEST_F(FilesTest, TempDirGoesWithItsObjectUnlessKept) {
  std::string path, kept;
  {
    TempDir a = *TempDir::Make("t-", dir_.path());
    TempDir b = *TempDir::Make("t-", dir_.path());
    path = a.path();
    ASSERT_TRUE(WriteFileAtomic(path + "/f", "x").ok());
    kept = b.Keep();
  }
  EXPECT_FALSE(PathExists(path));
  EXPECT_TRUE(PathExists(kept));
}

TEST(DirectoriesIn, AreThoseRightBelowWithoutLinks) {
  const TempDir dir = *TempDir::Make();
  for (const char* name : {"b", "a", "a/inner"}) {
    ASSERT_TRUE(MakeDirs(dir.path() + "/" + name).ok());
  }
  ASSERT_TRUE(WriteFileAtomic(dir.path() + "/file", "").ok());
  ASSERT_EQ(::symlink("a", (dir.path() + "/link").c_str()), 0);
  EXPECT_THAT(DirectoriesIn(dir.path()),
              ::testing::ElementsAre(dir.path() + "/a", dir.path() + "/b"));
  EXPECT_THAT(DirectoriesIn(dir.path() + "/none"), ::testing::IsEmpty());
}

}  // namespace
}  // namespace manyarch
