// Completion of command lines: what is offered, and that the shells offer it.
#include <unistd.h>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::vector<std::string> Lines(const std::string& text) {
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

std::string Output(std::vector<std::string> argv, const std::string& home = "/nonexistent") {
  Command command;
  command.argv = std::move(argv);
  command.env = std::vector<std::string>{"PATH=/usr/bin:/bin", "HOME=" + home, "TERM=dumb"};
  const auto result = RunCommand(command);
  EXPECT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->exit.code, 0) << result->err;
  return result->out;
}

// The words offered, without their help.
std::vector<std::string> Offered(std::vector<std::string> words) {
  words.insert(words.begin(), {MANYARCH_BINARY, "__complete", "--"});
  std::vector<std::string> out = Lines(Output(std::move(words)));
  for (std::string& line : out) line = line.substr(0, line.find('\t'));
  return out;
}

TEST(Completion, OffersCommandsWithTheirHelp) {
  EXPECT_THAT(Offered({"im"}), ElementsAre("image"));
  EXPECT_THAT(Offered({"image", ""}), ElementsAre("inspect", "create", "append"));
  EXPECT_THAT(Offered({""}), AllOf(Contains("build"), Contains("workers"), Contains("farms"),
                                   Not(Contains("__complete"))));
  EXPECT_THAT(Output({MANYARCH_BINARY, "__complete", "--", "canc"}), HasSubstr("cancel\t"));
}

TEST(Completion, OffersFlagsAndTheirValues) {
  EXPECT_THAT(Offered({"build", "--platf"}), ElementsAre("--platform", "--platforms"));
  // Flags that are only there to be refused are not offered.
  EXPECT_THAT(Offered({"build", "--loa"}), IsEmpty());
  EXPECT_THAT(Offered({"jobs", "--format", ""}), UnorderedElementsAre("json", "table"));
  EXPECT_THAT(Offered({"jobs", "--format=j"}), ElementsAre("--format=json"));
  EXPECT_THAT(Offered({"jobs", "--state", "failed,su"}),
              ElementsAre("failed,succeeded", "failed,superseded"));
  EXPECT_THAT(Offered({"build", "--platform", "linux/amd64,linux/arm6"}),
              ElementsAre("linux/amd64,linux/arm64"));
  EXPECT_THAT(Offered({"completion", "z"}), ElementsAre("zsh"));
}

TEST(Completion, ASubcommandIsOnlyOneBeforeOtherWords) {
  // A value that happens to be called as a command is none.
  EXPECT_THAT(Offered({"build", "--target", "image", "--no-c"}), ElementsAre("--no-cache"));
  EXPECT_THAT(Offered({"show", "j1", ""}), IsEmpty());
}

TEST(Completion, OffersFilesWhereFilesAreMeant) {
  EXPECT_THAT(Offered({"build", "--file", ""}), ElementsAre(":files"));
  EXPECT_THAT(Offered({"build", ""}), ElementsAre(":directories"));
}

class Shell : public ::testing::Test {
 protected:
  // The program under the name that people type.
  void SetUp() override {
    scratch_.Dir("bin");
    scratch_.Link("bin/manyarch", MANYARCH_BINARY);
    scratch_.Dir("here/some-context");
    scratch_.File("here/some-file", "");
  }
  std::string In(const std::string& shell, const std::string& script) {
    if (access(("/usr/bin/" + shell).c_str(), X_OK) != 0) return "not installed";
    return Output({"/usr/bin/" + shell, "-c",
                   absl::StrCat(shell == "fish" ? "set -x PATH " : "PATH=", scratch_.At("bin"),
                                shell == "fish" ? " $PATH; cd " : ":$PATH; cd ",
                                scratch_.At("here"), "; ", script)},
                  scratch_.path());
  }
  const Scratch scratch_;
};

TEST_F(Shell, Bash) {
  const auto offered = [&](const std::string& words, int at) {
    return Lines(
        In("bash", absl::StrCat("source <(manyarch completion bash); compopt() { :; }; "
                                "COMP_WORDS=(",
                                words, "); COMP_CWORD=", at,
                                "; _manyarch manyarch; printf '%s\\n' \"${COMPREPLY[@]}\"")));
  };
  EXPECT_THAT(offered("manyarch image ''", 2), ElementsAre("inspect", "create", "append"));
  // As bash splits "--format=j": only what stands after the '=' is put in.
  EXPECT_THAT(offered("manyarch jobs --format = j", 4), ElementsAre("json"));
  EXPECT_THAT(offered("manyarch jobs --format =", 3), UnorderedElementsAre("json", "table"));
  EXPECT_THAT(offered("manyarch build -t host : 5000/x : 1 --no-c", 8), ElementsAre("--no-cache"));
  EXPECT_THAT(offered("manyarch build --file some", 3), Contains("some-file"));
  EXPECT_THAT(offered("manyarch build some", 2), ElementsAre("some-context"));
  // It is the completion of the command.
  EXPECT_THAT(In("bash", "source <(manyarch completion bash); complete -p manyarch"),
              HasSubstr("_manyarch manyarch"));
}

TEST_F(Shell, Fish) {
  const auto offered = [&](const std::string& line) {
    return In("fish", "manyarch completion fish | source; complete -C '" + line + "'");
  };
  const std::string commands = offered("manyarch image ");
  if (commands == "not installed") GTEST_SKIP() << "fish is not installed";
  EXPECT_THAT(commands, AllOf(HasSubstr("inspect\tShow"), HasSubstr("append\t")));
  EXPECT_THAT(Lines(offered("manyarch jobs --format=j")), ElementsAre("--format=json"));
  EXPECT_THAT(offered("manyarch build --file some"), HasSubstr("some-file"));
}

TEST_F(Shell, Zsh) {
  const auto offered = [&](const std::string& words, int current) {
    return In("zsh", absl::StrCat("compdef() { :; }; source <(manyarch completion zsh); "
                                  "_describe() { print -l -- \"${(@P)2}\"; }; "
                                  "_files() { print -r -- files \"$@\"; }; words=(",
                                  words, "); CURRENT=", current, "; _manyarch"));
  };
  const std::string commands = offered("manyarch image ''", 3);
  if (commands == "not installed") GTEST_SKIP() << "zsh is not installed";
  EXPECT_THAT(commands, HasSubstr("inspect:Show the list"));
  EXPECT_THAT(Lines(offered("manyarch jobs --format=j", 3)), ElementsAre("--format=json"));
  EXPECT_THAT(Lines(offered("manyarch build ''", 3)), ElementsAre("files -/"));
}

}  // namespace
}  // namespace manyarch::cli
