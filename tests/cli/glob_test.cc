#include "cli/context/glob.h"

#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

struct Row {
  const char* pattern;
  const char* path;
  bool matches;
};

// The rows of docker's documentation and of the corners around it.
constexpr Row kRows[] = {
    {"a", "a", true},
    {"a", "b", false},
    {"a", "a/b", false},
    {"a/b", "a/b", true},
    {"*", "a", true},
    {"*", "", true},
    {"*", "a/b", false},
    {"*.txt", "a.txt", true},
    {"*.txt", "a.txt.gz", false},
    {"*.txt", "d/a.txt", false},
    {"*/temp*", "somedir/temporary.txt", true},
    {"*/temp*", "temporary.txt", false},
    {"*/*/temp*", "somedir/subdir/temporary.txt", true},
    {"temp?", "tempa", true},
    {"temp?", "temp", false},
    {"temp?", "temp/", false},
    {"**", "a/b/c", true},
    {"**/*.go", "a.go", true},
    {"**/*.go", "x/y/a.go", true},
    {"**/*.go", "x/y/ago", false},
    {"**/a/b", "a/b", true},
    {"**/a/b", "x/a/b", true},
    {"**/a/b", "xa/b", false},
    {"a/**", "a/b", true},
    {"a/**", "a/b/c", true},
    {"a/**", "a", false},
    {"a/**/b", "a/b", true},
    {"a/**/b", "a/x/y/b", true},
    {"a/**/b", "a/xb", false},
    {"a**b", "ab", true},
    {"a**b", "ax/b", true},
    {"[a-c]x", "bx", true},
    {"[a-c]x", "dx", false},
    {"[^a-c]x", "dx", true},
    {"[^a-c]x", "ax", false},
    {"[^a]", "/", false},
    {"[]]", "]", true},
    {"[\\]]", "]", true},
    {"[a\\-z]", "-", true},
    {"[a\\-z]", "m", false},
    {"\\*", "*", true},
    {"\\*", "a", false},
    {"a.b", "axb", false},
    {"a+b(c){d}$^|", "a+b(c){d}$^|", true},
    {"*a*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
};

TEST(Glob, MatchesAsDockerDocumentsIt) {
  for (const Row& row : kRows) {
    const auto glob = Glob::Compile(row.pattern);
    ASSERT_TRUE(glob.ok()) << row.pattern;
    EXPECT_EQ(glob->Matches(row.path), row.matches) << row.pattern << " and " << row.path;
  }
}

TEST(Glob, RefusesWhatIsNoPattern) {
  for (const char* pattern : {"[", "[a", "[]", "a\\", "[b-a]", "[a-", "[\\"}) {
    EXPECT_EQ(Glob::Compile(pattern).status().code(), absl::StatusCode::kInvalidArgument)
        << pattern;
  }
}

}  // namespace
}  // namespace manyarch::cli
