#include "common/base/ids.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <set>
#include <string>

namespace manyarch {
namespace {

TEST(JobId, IsTheSameForTheSameBitsAndUsesSixtyOfThem) {
  EXPECT_EQ(JobIdFrom(0), "j000000000000");
  EXPECT_EQ(JobIdFrom(~uint64_t{0}), "jzzzzzzzzzzzz");
  EXPECT_EQ(JobIdFrom(uint64_t{15} << 60), JobIdFrom(0));
  EXPECT_NE(JobIdFrom(uint64_t{1} << 59), JobIdFrom(0));
}

TEST(AttemptId, TellsJobPlatformAndNumber) {
  EXPECT_EQ(AttemptId("j1", {"linux", "arm", "v7"}, 2), "j1-armv7-2");
  EXPECT_NE(AttemptId("j1", {"linux", "amd64", ""}, 1),
            AttemptId("j1", {"windows", "amd64", ""}, 1));
}

TEST(StagingTag, IsAValidTagForTheLongestAttemptId) {
  const std::string tag =
      StagingTag(AttemptId(JobIdFrom(~uint64_t{0}), {"linux", "mips64le", ""}, 2147483647));
  EXPECT_LE(tag.size(), 128u);
  EXPECT_EQ(tag, "manyarch-jzzzzzzzzzzzz-mips64le-2147483647");
}

TEST(RandomBits, Vary) {
  std::set<uint64_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(RandomBits());
  EXPECT_EQ(seen.size(), 100u);
}

}  // namespace
}  // namespace manyarch
