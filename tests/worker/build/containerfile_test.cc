#include "worker/build/containerfile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "common/os/files.h"
#include "tests/support/failing_openat2.h"

namespace manyarch::worker {
namespace {

using ::testing::HasSubstr;

class ContainerfileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(MakeDirs(context_ + "/sub").ok());
    ASSERT_TRUE(MakeDirs(context_ + "/linked").ok());
  }
  void Write(const std::string& name) {
    ASSERT_TRUE(WriteFileAtomic(context_ + "/" + name, "FROM scratch\n").ok());
  }
  void Link(const std::string& target, const std::string& name) {
    ASSERT_EQ(symlink(target.c_str(), (context_ + "/" + name).c_str()), 0);
  }
  void ExpectRefused(const std::string& name, const std::string& why) {
    const auto path = FindContainerfile(context_, name);
    EXPECT_TRUE(absl::IsInvalidArgument(path.status())) << path.status();
    EXPECT_THAT(std::string(path.status().message()), HasSubstr(why));
  }

  TempDir dir_ = *TempDir::Make();
  std::string context_ = dir_.path() + "/context";
};

TEST_F(ContainerfileTest, PrefersContainerfileToDockerfile) {
  ExpectRefused("", "neither a Containerfile nor a Dockerfile");
  Write("Dockerfile");
  EXPECT_EQ(*FindContainerfile(context_, ""), context_ + "/Dockerfile");
  Write("Containerfile");
  EXPECT_EQ(*FindContainerfile(context_, ""), context_ + "/Containerfile");
  EXPECT_EQ(*FindContainerfile(context_, "Dockerfile"), context_ + "/Dockerfile");
}

TEST_F(ContainerfileTest, FollowsLinksInsideOfTheContextOnly) {
  Write("sub/real");
  Link("sub/real", "inside");
  Link("../real", "sub/up");
  EXPECT_EQ(*FindContainerfile(context_, "inside"), context_ + "/sub/real");
  ExpectRefused("sub/up", "is not in the context");
  Link("/etc/passwd", "absolute");
  Link("../../etc/passwd", "outside");
  ExpectRefused("absolute", "leads out of the context");
  ExpectRefused("outside", "leads out of the context");
  ExpectRefused("../context/inside", "leads out of the context");
  ExpectRefused("/etc/passwd", "leads out of the context");
}

TEST_F(ContainerfileTest, RefusesWhatIsNoFileAndWhatNeedsAPreprocessor) {
  ExpectRefused("sub", "is not a file");
  ExpectRefused("none", "is not in the context");
  Write("Containerfile.in");
  ExpectRefused("Containerfile.in", "C preprocessor");
}

TEST_F(ContainerfileTest, IgnoreFilesOfNamedContextsMayNotLeadOutEither) {
  Write("rules");
  Link("rules", ".containerignore");
  EXPECT_TRUE(CheckIgnoreFiles(context_).ok());
  Link("/etc/shadow", ".dockerignore");
  EXPECT_THAT(std::string(CheckIgnoreFiles(context_).message()),
              HasSubstr("'.dockerignore' leads out of the context"));
}

TEST_F(ContainerfileTest, AKernelWithoutOpenat2IsNotTheUsersFault) {
  Write("Containerfile");
  Write("sub/Containerfile");
  Link("/etc/shadow", "linked/.dockerignore");
  for (const int error : {ENOSYS, EPERM, EAGAIN, EIO}) {
    const char* const why =
        error == ENOSYS || error == EPERM ? "Linux 5.6 or newer is needed" : std::strerror(error);
    const bool possible = WithFailingOpenat2(error, [&] {
      for (const absl::Status& status : {FindContainerfile(context_, "sub/Containerfile").status(),
                                         CheckIgnoreFiles(context_ + "/linked")}) {
        EXPECT_FALSE(status.ok());
        EXPECT_FALSE(absl::IsInvalidArgument(status)) << status;
        EXPECT_THAT(std::string(status.message()), HasSubstr(why));
      }
      // What has no links and no directories in its name is found all the same.
      const bool told_from_links = error == ENOSYS || error == EPERM;
      EXPECT_EQ(FindContainerfile(context_, "").ok(), told_from_links);
    });
    if (!possible) GTEST_SKIP() << "no seccomp filters here";
  }
}

TEST_F(ContainerfileTest, RefusesIgnoreFilesThatLeadOut) {
  Write("Containerfile");
  Link("/etc/shadow", "Containerfile.dockerignore");
  ExpectRefused("", "'Containerfile.dockerignore' leads out of the context");
}

}  // namespace
}  // namespace manyarch::worker
