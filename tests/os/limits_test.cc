#include "common/os/limits.h"

#include <sys/resource.h>

#include "gtest/gtest.h"

namespace manyarch {
namespace {

TEST(LimitsTest, OpenFilesMayBeAsManyAsTheHardLimitSays) {
  rlimit before = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit low = {64, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);

  const int64_t allowed = RaiseOpenFileLimit();

  rlimit after = {};
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &after), 0);
  EXPECT_EQ(after.rlim_cur, before.rlim_max);
  EXPECT_EQ(after.rlim_max, before.rlim_max);
  EXPECT_EQ(allowed, static_cast<int64_t>(before.rlim_max));
  EXPECT_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

}  // namespace
}  // namespace manyarch
