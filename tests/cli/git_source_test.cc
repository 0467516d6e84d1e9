// Git URLs, and commits fetched with the real git.
#include "cli/context/git_source.h"

#include <stdlib.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::AllOf;
using testing::HasSubstr;

TEST(ParseGitUrl, TakesUrlsApart) {
  const auto parse = [](absl::string_view text) {
    const auto url = ParseGitUrl(text);
    EXPECT_TRUE(url.ok() && url->has_value()) << text << ": " << url.status();
    return std::vector<std::string>{(*url)->url, (*url)->ref, (*url)->directory};
  };
  using V = std::vector<std::string>;
  EXPECT_EQ(parse("https://h/a.git"), (V{"https://h/a.git", "", ""}));
  EXPECT_EQ(parse("https://h/a.git#v1.0"), (V{"https://h/a.git", "v1.0", ""}));
  EXPECT_EQ(parse("https://h/a.git#v1.0:sub/dir/"), (V{"https://h/a.git", "v1.0", "sub/dir"}));
  EXPECT_EQ(parse("https://h/a.git#:sub"), (V{"https://h/a.git", "", "sub"}));
  EXPECT_EQ(parse("git@h:a/b#main"), (V{"git@h:a/b", "main", ""}));
  EXPECT_EQ(parse("ssh://git@h/a"), (V{"ssh://git@h/a", "", ""}));
  EXPECT_EQ(parse("git+ssh://git@h/a"), (V{"ssh://git@h/a", "", ""}));
  EXPECT_EQ(parse("file:///srv/a"), (V{"file:///srv/a", "", ""}));
  EXPECT_EQ(parse("github.com/o/r#x"), (V{"https://github.com/o/r", "x", ""}));
  EXPECT_EQ((*ParseGitUrl("https://me:token@h/a.git"))->Shown(), "https://h/a.git");
  EXPECT_EQ((*ParseGitUrl("https://h/a@b.git"))->Shown(), "https://h/a@b.git");
  EXPECT_FALSE(ParseGitUrl("./directory")->has_value());
  EXPECT_FALSE(ParseGitUrl("ext::sh -c id")->has_value());
}

TEST(ParseGitUrl, RefusesWhatCannotBeMeantWell) {
  for (const char* text :
       {"https://h/archive.tar.gz", "https://h/a.git#--upload-pack=id", "https://h/a.git#a..b",
        "https://h/a.git#a b", "https://h/a.git#main:../../etc", "https://h/a.git#main:/etc",
        "https://h/a\n.git", "https://h/a.git#re:f/../x", "https://h/a.git#a^{tree}"}) {
    EXPECT_EQ(ParseGitUrl(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

class FetchGitTest : public testing::Test {
 protected:
  void SetUp() override {
    // Whatever this user has configured is not these tests' business.
    setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
    setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      setenv(absl::StrCat("GIT_", who, "_NAME").c_str(), "test", 1);
      setenv(absl::StrCat("GIT_", who, "_EMAIL").c_str(), "test@example.com", 1);
    }
    Git({"init", "-q", "-b", "main", "."});
    first_ = Commit("one");
    Git({"tag", "-a", "-m", "first", "v1"});
    Git({"branch", "old"});
    scratch_.File("repo/sub/run", "program", 0755);
    scratch_.Link("repo/out", "/etc");
    second_ = Commit("two");
  }
  std::string Git(std::vector<std::string> args) {
    args.insert(args.begin(), {"git", "-C", scratch_.At("repo")});
    const auto out = RunChecked({.argv = args});
    EXPECT_TRUE(out.ok()) << out.status();
    return std::string(absl::StripAsciiWhitespace(out.value_or("")));
  }
  std::string Commit(const std::string& text) {
    scratch_.File("repo/Containerfile", "FROM " + text);
    Git({"add", "-A"});
    Git({"commit", "-q", "-m", text});
    return Git({"rev-parse", "HEAD"});
  }
  absl::StatusOr<GitCheckout> Fetch(const std::string& fragment) {
    into_ = scratch_.At(absl::StrCat("into", ++fetches_));
    EXPECT_EQ(mkdir(into_.c_str(), 0700), 0);
    const auto url = ParseGitUrl("file://" + scratch_.At("repo") + fragment);
    EXPECT_TRUE(url.ok()) << url.status();
    return FetchGit(**url, into_);
  }
  std::string CommitOf(const std::string& fragment) {
    const auto checkout = Fetch(fragment);
    EXPECT_TRUE(checkout.ok()) << fragment << ": " << checkout.status();
    return checkout.ok() ? checkout->commit : "";
  }
  std::string Refusal(const std::string& fragment) {
    const auto checkout = Fetch(fragment);
    EXPECT_EQ(checkout.status().code(), absl::StatusCode::kInvalidArgument);
    return std::string(checkout.status().message());
  }

  Scratch scratch_;
  std::string first_;
  std::string second_;
  std::string into_;
  int fetches_ = 0;
  const bool made_ = MakeDirs(scratch_.At("repo")).ok();
};

TEST_F(FetchGitTest, ResolvesBranchesTagsAndCommits) {
  EXPECT_EQ(CommitOf(""), second_);
  EXPECT_EQ(*ReadFile(into_ + "/Containerfile"), "FROM two");
  EXPECT_FALSE(PathExists(into_ + "/.git"));
  EXPECT_EQ(CommitOf("#main"), second_);
  EXPECT_EQ(CommitOf("#v1"), first_);
  EXPECT_EQ(*ReadFile(into_ + "/Containerfile"), "FROM one");
  EXPECT_EQ(CommitOf("#old"), first_);
  EXPECT_EQ(CommitOf("#refs/heads/old"), first_);
  EXPECT_EQ(CommitOf("#" + first_), first_);
  const auto sub = Fetch("#main:sub");
  ASSERT_TRUE(sub.ok()) << sub.status();
  EXPECT_EQ(sub->directory, into_ + "/sub");
}

TEST_F(FetchGitTest, SaysWhatIsWrong) {
  EXPECT_THAT(Refusal("#nope"), AllOf(HasSubstr("fetching the context from file://"),
                                      HasSubstr("has no branch or tag 'nope'")));
  EXPECT_THAT(Refusal("#" + std::string(40, '1')), HasSubstr("cannot fetch commit 1111"));
  EXPECT_THAT(Refusal("#main:nowhere"), HasSubstr("has no directory 'nowhere'"));
  EXPECT_THAT(Refusal("#main:out"), HasSubstr("'out' is a link that leads out"));
  Git({"branch", "v1", "main"});
  EXPECT_THAT(Refusal("#v1"), HasSubstr("is both refs/heads/v1 and refs/tags/v1"));
}

TEST_F(FetchGitTest, SubmodulesAreRefusedByName) {
  Git({"update-index", "--add", "--cacheinfo", absl::StrCat("160000,", first_, ",lib/dep")});
  Git({"commit", "-q", "-m", "with a submodule"});
  EXPECT_THAT(Refusal(""), HasSubstr("has the submodule 'lib/dep'"));
  // Where the context is a part of the repository without it, it does no harm.
  EXPECT_TRUE(Fetch("#main:sub").ok());
}

TEST_F(FetchGitTest, HooksOfTheUserDoNotRunAndAHookCallerIsNotWorkedOn) {
  scratch_.File("hooks/post-checkout", "#!/bin/sh\ntouch " + scratch_.At("ran") + "\n", 0755);
  scratch_.File("gitconfig", "[core]\n\thooksPath = " + scratch_.At("hooks") + "\n");
  setenv("GIT_CONFIG_GLOBAL", scratch_.At("gitconfig").c_str(), 1);
  setenv("GIT_DIR", scratch_.At("repo/.git").c_str(), 1);
  const auto checkout = Fetch("#v1");
  unsetenv("GIT_DIR");
  ASSERT_TRUE(checkout.ok()) << checkout.status();
  EXPECT_FALSE(PathExists(scratch_.At("ran")));
  EXPECT_EQ(Git({"rev-parse", "HEAD"}), second_);
}

TEST_F(FetchGitTest, TransportsThatRunCommandsAreNotAllowed) {
  const GitUrl url{"ext::touch " + scratch_.At("ran"), "", ""};
  EXPECT_FALSE(FetchGit(url, scratch_.At("repo/sub")).ok());
  EXPECT_FALSE(PathExists(scratch_.At("ran")));
}

}  // namespace
}  // namespace manyarch::cli
