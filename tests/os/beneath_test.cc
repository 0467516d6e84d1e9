#include "common/os/beneath.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <thread>

#include "gtest/gtest.h"
#include "tests/support/failing_openat2.h"

namespace manyarch {
namespace {

class OpenBeneathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(MakeDirs(top_.path() + "/in/below").ok());
    ASSERT_TRUE(WriteFileAtomic(top_.path() + "/outside", "secret").ok());
    ASSERT_TRUE(WriteFileAtomic(top_.path() + "/in/below/file", "text").ok());
    ASSERT_EQ(symlink("below/file", (top_.path() + "/in/link").c_str()), 0);
    ASSERT_EQ(symlink("../outside", (top_.path() + "/in/out").c_str()), 0);
    ASSERT_EQ(symlink("..", (top_.path() + "/in/up").c_str()), 0);
    ASSERT_EQ(symlink("/etc", (top_.path() + "/in/etc").c_str()), 0);
    dir_ = UniqueFd(open((top_.path() + "/in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  }
  // 0, or errno.
  int Open(const std::string& name, int flags = O_RDONLY) {
    return OpenBeneath(dir_.get(), name, flags, (flags & O_CREAT) != 0 ? 0600 : 0).ok() ? 0 : errno;
  }

  TempDir top_ = *TempDir::Make("beneath-test-");
  UniqueFd dir_;
};

TEST_F(OpenBeneathTest, WhatIsBelowIsOpenedLinksThatStayThereToo) {
  EXPECT_EQ(Open("below/file"), 0);
  EXPECT_EQ(Open("link"), 0);
  EXPECT_EQ(Open("below/../below/file"), 0);
  EXPECT_EQ(Open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
}

TEST_F(OpenBeneathTest, NothingLeadsOut) {
  for (const char* name : {"..", "../outside", "out", "up/outside", "etc/passwd", "/etc/passwd",
                           "below/../../outside"}) {
    EXPECT_EQ(Open(name), EXDEV) << name;
  }
  EXPECT_EQ(Open("up/new", O_WRONLY | O_CREAT | O_EXCL), EXDEV);
  EXPECT_FALSE(PathExists(top_.path() + "/new"));
}

TEST_F(OpenBeneathTest, WithoutOpenat2ThereAreSingleNamesAndNoLinksToFollow) {
  for (const int error : {ENOSYS, EPERM}) {
    const std::string file = "new" + std::to_string(error);
    const bool possible = WithFailingOpenat2(error, [&] {
      EXPECT_EQ(Open("below", O_RDONLY | O_DIRECTORY), 0);
      EXPECT_EQ(Open("below", O_PATH), 0);
      EXPECT_EQ(Open(file, O_WRONLY | O_CREAT | O_EXCL), 0);
      EXPECT_EQ(Open("none", O_PATH), ENOENT);
      EXPECT_EQ(Open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
      EXPECT_EQ(Open("link", O_PATH | O_NOFOLLOW), 0);
      for (const char* name : {"link", "out", "up", "below/file", "..", "/etc"}) {
        EXPECT_EQ(Open(name), error) << name;
        EXPECT_EQ(Open(name, O_PATH), error) << name;
      }
    });
    if (!possible) GTEST_SKIP() << "no seccomp filters here";
  }
}

TEST_F(OpenBeneathTest, WithoutLinksIsTheSameWithAndWithoutOpenat2) {
  const auto open = [&](const std::string& name, int flags = O_RDONLY) {
    return OpenWithoutLinks(dir_.get(), name, flags).ok() ? 0 : errno;
  };
  const auto check = [&] {
    EXPECT_EQ(open("below/file"), 0);
    EXPECT_EQ(open("below", O_RDONLY | O_DIRECTORY), 0);
    EXPECT_EQ(open("below/file/more"), ENOTDIR);
    EXPECT_EQ(open("below/none"), ENOENT);
    EXPECT_EQ(open(""), ENOENT);
    EXPECT_EQ(open("link"), ELOOP);
    EXPECT_EQ(open("link", O_PATH), 0);
    EXPECT_NE(open("up/in/below/file"), 0);
    EXPECT_NE(open("etc/passwd"), 0);
    for (const char* name : {"..", "../outside", "below/../../outside", "/etc/passwd"}) {
      EXPECT_EQ(open(name), EXDEV) << name;
    }
  };
  check();
  for (const int error : {ENOSYS, EPERM}) {
    if (!WithFailingOpenat2(error, check)) GTEST_SKIP() << "no seccomp filters here";
  }
}

TEST_F(OpenBeneathTest, ARaceThatNeverEndsIsGivenUp) {
  if (!WithFailingOpenat2(EAGAIN, [&] { EXPECT_EQ(Open("below"), EAGAIN); })) {
    GTEST_SKIP() << "no seccomp filters here";
  }
}

TEST_F(OpenBeneathTest, RenamesElsewhereDoNotMatter) {
  std::atomic<bool> over = false;
  std::thread renaming([&] {
    const std::string one = top_.path() + "/one";
    const std::string two = top_.path() + "/two";
    EXPECT_TRUE(MakeDirs(one).ok());
    while (!over) {
      EXPECT_EQ(rename(one.c_str(), two.c_str()), 0);
      EXPECT_EQ(rename(two.c_str(), one.c_str()), 0);
    }
  });
  for (int i = 0; i < 2000; ++i) EXPECT_EQ(Open("below/../below/../below/file"), 0);
  over = true;
  renaming.join();
}

TEST_F(OpenBeneathTest, FilesAreMadeWithTheirMode) {
  EXPECT_EQ(Open("new", O_WRONLY | O_CREAT | O_EXCL), 0);
  struct stat info = {};
  ASSERT_EQ(stat((top_.path() + "/in/new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0600U);
}

}  // namespace
}  // namespace manyarch
