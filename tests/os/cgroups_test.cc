#include "common/os/cgroups.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "common/os/files.h"

namespace manyarch {
namespace {

TEST(RemoveCgroups, TakesTheNamedOnesWithAllBelowAndNoOthers) {
  std::string hierarchy = "/sys/fs/cgroup";
  if (!PathExists(hierarchy + "/cgroup.controllers")) hierarchy += "/unified";
  if (!PathExists(hierarchy)) hierarchy = "/sys/fs/cgroup/pids";
  const std::string name = absl::StrCat("manyarch-test-", getpid());
  const std::string dir = absl::StrCat(hierarchy, "/", name);
  if (mkdir((dir + "-1").c_str(), 0755) != 0) GTEST_SKIP() << "may not make cgroups here";
  ASSERT_EQ(mkdir((dir + "-1/below").c_str(), 0755), 0);
  ASSERT_EQ(mkdir((dir + "-10").c_str(), 0755), 0);
  EXPECT_TRUE(RemoveCgroup(name + "-1").ok());
  EXPECT_FALSE(PathExists(dir + "-1"));
  EXPECT_TRUE(PathExists(dir + "-10"));
  EXPECT_TRUE(RemoveCgroupsNamed(name).ok());
  EXPECT_FALSE(PathExists(dir + "-10"));
  EXPECT_TRUE(RemoveCgroup(name).ok());
}

}  // namespace
}  // namespace manyarch
