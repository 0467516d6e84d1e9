// Manual pages, made of what --help is made of.
#include <dirent.h>

#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

RunResult Exec(std::vector<std::string> argv) {
  Command command;
  command.argv = std::move(argv);
  command.env = std::vector<std::string>{"PATH=/usr/bin:/bin", "HOME=/nonexistent",
                                         "LC_ALL=C.UTF-8", "MANWIDTH=100"};
  auto result = RunCommand(command);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

TEST(ManPage, IsThereForEveryCommandAndIsSoundRoff) {
  const Scratch scratch;
  ASSERT_EQ(Exec({MANYARCH_BINARY, "__man", scratch.path()}).exit.code, 0);
  for (const char* name : {"manyarch", "manyarch-build", "manyarch-image-create",
                           "manyarch-workers-drain", "manyarch-doctor"}) {
    EXPECT_TRUE(PathExists(scratch.At(std::string(name) + ".1"))) << name;
  }
  if (!PathExists("/usr/bin/man")) GTEST_SKIP() << "man is not installed";
  DIR* dir = opendir(scratch.path().c_str());
  int pages = 0;
  while (const dirent* entry = readdir(dir)) {
    const std::string name = entry->d_name;
    if (name.size() < 3 || name.substr(name.size() - 2) != ".1") continue;
    const RunResult checked =
        Exec({"/usr/bin/man", "--warnings", "-E", "UTF-8", "-Tutf8", "-Z", "-l", scratch.At(name)});
    EXPECT_EQ(checked.exit.code, 0) << name;
    EXPECT_EQ(checked.err, "") << name;
    ++pages;
  }
  closedir(dir);
  EXPECT_GT(pages, 15);
}

TEST(ManPage, HasTheFlagsThatHelpHas) {
  const Scratch scratch;
  ASSERT_EQ(Exec({MANYARCH_BINARY, "__man", scratch.path()}).exit.code, 0);
  const std::string page = *ReadFile(scratch.At("manyarch-build.1"));
  EXPECT_THAT(page, AllOf(HasSubstr("manyarch\\-build \\- Build a directory"),
                          HasSubstr("\\fB\\-t\\fR, \\fB\\-\\-tag\\fR \\fIREGISTRY/NAME:TAG\\fR\n"
                                    "Tag to write"),
                          HasSubstr(".BR manyarch (1)")));
  // Hidden there, hidden here.
  EXPECT_THAT(page, Not(HasSubstr("\\-\\-load")));
  EXPECT_THAT(*ReadFile(scratch.At("manyarch.1")),
              AllOf(HasSubstr(".SH EXIT STATUS\n0 ok"), HasSubstr(".BR manyarch\\-build (1)")));
}

}  // namespace
}  // namespace manyarch::cli
