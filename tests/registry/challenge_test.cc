#include "registry/challenge.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace manyarch::registry {
namespace {

std::vector<Challenge> Parse(const std::string& line) {
  return ParseChallenges(std::vector<std::string>{line});
}

TEST(ParseChallenges, ReadsBearerWithQuotedCommas) {
  const auto got = Parse(
      R"(Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push")");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].scheme, "bearer");
  EXPECT_EQ(got[0].Param("realm"), "https://auth.docker.io/token");
  EXPECT_EQ(got[0].Param("service"), "registry.docker.io");
  EXPECT_EQ(got[0].Param("scope"), "repository:a/b:pull,push");
  EXPECT_EQ(got[0].Param("error"), "");
}

TEST(ParseChallenges, ReadsSeveralFromOneLineOrMany) {
  const auto one = Parse(R"(Basic realm="x" , BEARER Realm = /token , service=s)");
  ASSERT_EQ(one.size(), 2u);
  EXPECT_EQ(one[0].scheme, "basic");
  EXPECT_EQ(one[1].scheme, "bearer");
  EXPECT_EQ(one[1].Param("realm"), "/token");
  EXPECT_EQ(one[1].Param("service"), "s");
  EXPECT_EQ(ParseChallenges(std::vector<std::string>{"Negotiate", "Basic realm=x"}).size(), 2u);
}

TEST(ParseChallenges, UndoesEscapes) {
  const auto got = Parse(R"(Basic realm="a\"b\\c")");
  ASSERT_EQ(got.size(), 1u);
  EXPECT_EQ(got[0].Param("realm"), "a\"b\\c");
}

TEST(ParseChallenges, SurvivesNonsense) {
  for (const char* line : {"", ",,,", "=", "realm=\"x\"", "Basic realm=\"open", "Bearer \x01", "\"",
                           "Basic realm=\"a\\"}) {
    const auto got = Parse(line);
    EXPECT_LE(got.size(), 1u) << line;
    if (!got.empty()) {
      EXPECT_EQ(got[0].Param("realm"), "") << line;
    }
  }
}

}  // namespace
}  // namespace manyarch::registry
