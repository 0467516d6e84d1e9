#include "common/os/failpoint.h"

#include <signal.h>

#include <cstdlib>
#include <fstream>
#include <string>

#include "common/os/files.h"
#include "gtest/gtest.h"

#ifdef MANYARCH_FAILPOINTS

namespace manyarch {
namespace {

void Arm(const std::string& order) { setenv("MANYARCH_FAILPOINT", order.c_str(), 1); }

class FailpointDeathTest : public testing::Test {
 protected:
  // Each death test is a process of its own, which reads the environment anew.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(FailpointDeathTest, OnlyTheArmedOneKills) {
  EXPECT_EXIT(
      {
        Arm("a/b");
        MANYARCH_FAILPOINT("a/c");
        MANYARCH_FAILPOINT("a");
        exit(7);
      },
      testing::ExitedWithCode(7), "");
  EXPECT_EXIT(
      {
        Arm("a/b");
        MANYARCH_FAILPOINT("a/b");
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FailpointDeathTest, ACountIsCounted) {
  EXPECT_EXIT(
      {
        Arm("a:2");
        MANYARCH_FAILPOINT("a");
        exit(7);
      },
      testing::ExitedWithCode(7), "");
  EXPECT_EXIT(
      {
        Arm("a:2");
        MANYARCH_FAILPOINT("a");
        MANYARCH_FAILPOINT("a");
      },
      testing::KilledBySignal(SIGKILL), "");
}

TEST_F(FailpointDeathTest, AFileIsReadEachTimeAndFiresOnce) {
  auto dir = TempDir::Make("failpoint");
  ASSERT_TRUE(dir.ok());
  const std::string file = dir->path() + "/order";
  EXPECT_EXIT(
      {
        Arm("@" + file);
        MANYARCH_FAILPOINT("a");
        std::ofstream(file) << "a:1\n";
        MANYARCH_FAILPOINT("a");
      },
      testing::KilledBySignal(SIGKILL), "");
  EXPECT_FALSE(ReadFile(file).ok());
}

}  // namespace
}  // namespace manyarch

#endif
