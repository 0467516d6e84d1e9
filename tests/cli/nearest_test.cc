#include "cli/nearest.h"

#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

TEST(Nearest, NamesWhatWasMostLikelyMeantOrNothing) {
  const std::vector<std::string> flags = {"--platform", "--platforms", "--pull", "--tag"};
  EXPECT_EQ(Nearest("--platfrom", flags), "--platform");
  EXPECT_EQ(Nearest("--pul", flags), "--pull");
  EXPECT_EQ(Nearest("--tga", flags), "--tag");
  EXPECT_EQ(Nearest("--something-else", flags), "");
  EXPECT_EQ(Nearest("x", {}), "");
}

}  // namespace
}  // namespace manyarch::cli
