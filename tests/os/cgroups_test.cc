#include "common/os/cgroups.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <memory>

#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"

namespace manyarch {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::string TestDirectory(const std::string& name) {
  std::string hierarchy = "/sys/fs/cgroup";
  if (!PathExists(hierarchy + "/cgroup.controllers")) hierarchy += "/unified";
  if (!PathExists(hierarchy)) hierarchy = "/sys/fs/cgroup/pids";
  return absl::StrCat(hierarchy, "/", name);
}

// DIR-1: false where that is not allowed.
bool MakeFirstCgroup(const std::string& dir) { return mkdir((dir + "-1").c_str(), 0755) == 0; }

// One below that, and one whose name begins like its name.
bool MakeOtherCgroups(const std::string& dir) {
  return mkdir((dir + "-1/below").c_str(), 0755) == 0 && mkdir((dir + "-10").c_str(), 0755) == 0;
}

TEST(RemoveCgroups, TakesTheNamedOnesWithAllBelowAndNoOthers) {
  const std::string name = absl::StrCat("manyarch-test-", getpid());
  const std::string dir = TestDirectory(name);
  if (!MakeFirstCgroup(dir)) GTEST_SKIP() << "may not make cgroups here";
  ASSERT_TRUE(MakeOtherCgroups(dir));
  EXPECT_TRUE(RemoveCgroup(name + "-1").ok());
  EXPECT_FALSE(PathExists(dir + "-1"));
  EXPECT_TRUE(PathExists(dir + "-10"));
  EXPECT_TRUE(RemoveCgroupsNamed(name).ok());
  EXPECT_FALSE(PathExists(dir + "-10"));
  EXPECT_TRUE(RemoveCgroup(name).ok());
}

TEST(ProcessesInCgroup, AreThoseOfItAndOfAllBelowAndNoOthers) {
  const std::string name = absl::StrCat("manyarch-test-", getpid());
  const std::string dir = TestDirectory(name);
  if (!MakeFirstCgroup(dir)) GTEST_SKIP() << "may not make cgroups here";
  ASSERT_TRUE(MakeOtherCgroups(dir));
  std::map<std::string, std::unique_ptr<ChildProcess>> children;
  for (const std::string group : {"-1", "-1/below", "-10"}) {
    children[group] = *ChildProcess::Start({.argv = {"sleep", "1000"}});
    std::ofstream(dir + group + "/cgroup.procs") << children[group]->pid();
  }
  EXPECT_THAT(ProcessesInCgroup(name + "-1"),
              ::testing::UnorderedElementsAre(children["-1"]->pid(), children["-1/below"]->pid()));
  EXPECT_THAT(ProcessesInCgroup(name + "-10"), ElementsAre(children["-10"]->pid()));
  EXPECT_THAT(ProcessesInCgroup(name), IsEmpty());
  children.clear();
  EXPECT_TRUE(RemoveCgroupsNamed(name).ok());
}

}  // namespace
}  // namespace manyarch
