#include "cli/context/ignore.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

IgnoreRules Rules(absl::string_view text) {
  auto rules = IgnoreRules::Parse(text, ".containerignore");
  EXPECT_TRUE(rules.ok()) << rules.status();
  return *std::move(rules);
}

struct Row {
  const char* file;
  std::vector<std::string> ignored;
  std::vector<std::string> kept;
};

TEST(IgnoreRules, FollowDockersDocumentation) {
  const Row rows[] = {
      {"", {}, {"a", ".git"}},
      {"# comment\n\n  \n*/temp*\n*/*/temp*\ntemp?\n",
       {"somedir/temporary.txt", "somedir/temp", "somedir/subdir/temporary.txt", "tempa"},
       {"temp", "temporary", "# comment"}},
      // A rule for a directory holds for all that is below it.
      {"node_modules", {"node_modules", "node_modules/a/b"}, {"x/node_modules", "node_modules2"}},
      {"**/node_modules", {"x/node_modules/y", "node_modules"}, {}},
      // Leading, trailing and doubled slashes and dots mean nothing.
      {"/foo/bar\nbaz/\n./x//y/../z", {"foo/bar", "baz", "baz/q", "x/z"}, {"bar", "x/y"}},
      // The last rule that matches wins.
      {"*.md\n!README.md", {"a.md"}, {"README.md"}},
      {"*.md\n!README*.md\nREADME-secret.md", {"a.md", "README-secret.md"}, {"README-x.md"}},
      {"*.md\nREADME-secret.md\n!README*.md", {"a.md"}, {"README-secret.md"}},
      // Everything but …
      {"*\n!src\n!**/*.keep", {"a", "a/b"}, {"src", "src/a/b", "x/y/z.keep"}},
      {"dir\n!dir/keep", {"dir", "dir/other"}, {"dir/keep", "dir/keep/below"}},
      {"  spaced name  \n! spaced name/x ", {"spaced name"}, {"spaced name/x"}},
      {"crlf\r\nnext\r\n", {"crlf", "next"}, {}},
      {"\xEF\xBB\xBF"
       "bom",
       {"bom"},
       {}},
      {"\\#literal\n\\!literal", {"#literal", "!literal"}, {}},
      {".", {}, {"a"}},
      {"/", {}, {"a"}},
      {"../x", {}, {"x"}},
  };
  for (const Row& row : rows) {
    const IgnoreRules rules = Rules(row.file);
    for (const std::string& path : row.ignored) {
      EXPECT_TRUE(rules.Ignores(path)) << path << " with:\n" << row.file;
    }
    for (const std::string& path : row.kept) {
      EXPECT_FALSE(rules.Ignores(path)) << path << " with:\n" << row.file;
    }
  }
}

TEST(IgnoreRules, KnowWhereAnIgnoredDirectoryMustStillBeLookedInto) {
  EXPECT_FALSE(Rules("dir").MayBringBackBelow("dir"));
  EXPECT_TRUE(Rules("dir\n!dir/keep").MayBringBackBelow("dir"));
  EXPECT_FALSE(Rules("dir\n!dir/keep").MayBringBackBelow("other"));
  EXPECT_FALSE(Rules("dir\n!dir/keep").MayBringBackBelow("dir/other"));
  EXPECT_TRUE(Rules("*\n!**/*.keep").MayBringBackBelow("any/where"));
  EXPECT_TRUE(Rules("*\n!a/*/c").MayBringBackBelow("a/b"));
}

TEST(IgnoreRules, ErrorsNameTheLine) {
  EXPECT_THAT(std::string(IgnoreRules::Parse("a\n[b", "'/x/.dockerignore'").status().message()),
              testing::HasSubstr("'/x/.dockerignore' line 2: '[' without ']' in '[b'"));
  EXPECT_THAT(std::string(IgnoreRules::Parse("! ", "f").status().message()),
              testing::HasSubstr("f line 1: '!' must be followed by a pattern"));
}

}  // namespace
}  // namespace manyarch::cli
