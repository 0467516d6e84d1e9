// The program itself: bad input is told in a sentence, with the right exit status, and nothing is
// sent.
#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::HasSubstr;

RunResult Manyarch(std::vector<std::string> args) {
  Command command;
  command.argv = {MANYARCH_BINARY};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  // No controller has this address: a command that would ask one cannot pass for another.
  command.env = std::vector<std::string>{"MANYARCH_CONTROLLER=127.0.0.1:1", "PATH=/usr/bin:/bin"};
  auto result = RunCommand(command);
  EXPECT_TRUE(result.ok()) << result.status();
  return *std::move(result);
}

TEST(Arguments, BadOnesAreToldInASentence) {
  const Scratch scratch;
  scratch.File("ctx/Containerfile", "FROM x");
  scratch.File("bare/file", "");
  const std::string ctx = scratch.At("ctx");
  const std::pair<std::vector<std::string>, std::string> rows[] = {
      {{}, "Usage: manyarch"},
      {{"biuld", "-t", "x"}, "unknown command 'biuld': did you mean 'build'?"},
      {{"attach"}, "to which JOB?"},
      {{"wait"}, "for which JOB?"},
      {{"retry"}, "which JOB?"},
      {{"why"}, "which JOB?"},
      {{"logs", "j1", "--since", "yesterday"}, "neither a time before now"},
      {{"logs", "j1", "--tail", "-3"}, "--tail"},
      {{"build", ctx, "-t", "r/x:1", "--platform", "linux/arm64?"}, "every platform is optional"},
      {{"build", ctx, "-t", "r/x:1", "--progress", "fancy"}, "--progress"},
      {{"workers", "shwo"}, "unknown command 'shwo': did you mean 'show'?"},
      {{"--bogus-flag"}, "unknown flag '--bogus-flag'"},
      {{"build"}, "no CONTEXT given"},
      {{"build", "--shm-size=1"}, "--shm-size is not supported yet"},
      {{"build", "--platfrom", "linux/amd64", ctx},
       "unknown flag '--platfrom': did you mean '--platform'?"},
      {{"build", ctx, "other", "-t", "r/x:1"}, "one argument too many: 'other'"},
      {{"build", ctx}, "no tag given"},
      {{"build", ctx, "-t"}, "--tag"},
      {{"build", ctx, "-t", "r/x:1", "--platform", "linux/amd46"}, "did you mean 'linux/amd64'?"},
      {{"build", scratch.At("bare"), "-t", "r/x:1"}, "there is no Containerfile and no Dockerfile"},
      {{"build", scratch.At("none"), "-t", "r/x:1"}, "No such file or directory"},
      {{"build", ctx, "-t", "r/x:1", "-f", scratch.At("bare/file")},
       "is empty: it must at least have a FROM"},
      {{"jobs", "--limit", "0"}, "--limit"},
      {{"jobs", "--format", "yaml"}, "--format: yaml not in {table,json}"},
      {{"show"}, "which JOB?"},
      {{"logs"}, "of which JOB?"},
      {{"cancel"}, "which JOB?"},
      {{"workers", "show"}, "which worker?"},
      {{"dev", "--registry", "no/host"}, "is not a registry"},
  };
  for (const auto& [args, sentence] : rows) {
    const RunResult result = Manyarch(args);
    EXPECT_EQ(result.exit.code, 2) << sentence;
    EXPECT_THAT(result.err, HasSubstr(sentence));
    EXPECT_EQ(result.out, "");
  }
}

TEST(Arguments, HelpAndVersionGoToStdout) {
  EXPECT_THAT(Manyarch({"build", "--help"}).out, HasSubstr("--platform,--platforms"));
  EXPECT_THAT(Manyarch({"--version"}).out, HasSubstr("manyarch 0."));
  EXPECT_EQ(Manyarch({"--help"}).exit.code, 0);
}

TEST(Arguments, AControllerThatIsNotThereIsInfrastructure) {
  const Scratch scratch;
  scratch.File("Containerfile", "FROM x");
  const std::string sentence =
      "cannot reach the controller at 127.0.0.1:1: connection refused. Start one with "
      "`manyarch dev`, or set MANYARCH_CONTROLLER.";
  const std::vector<std::vector<std::string>> rows = {
      {"jobs"},
      {"show", "j1"},
      {"logs", "j1"},
      {"cancel", "j1"},
      {"workers"},
      {"build", scratch.path(), "-t", "127.0.0.1:5000/x:1"},
      {"build", scratch.path(), "-t", "127.0.0.1:5000/x:1", "--detach", "-q"}};
  for (const auto& args : rows) {
    const RunResult result = Manyarch(args);
    EXPECT_EQ(result.exit.code, 3);
    EXPECT_EQ(result.err, "manyarch: " + sentence + "\n");
  }
  // A flag comes before the environment.
  EXPECT_THAT(Manyarch({"jobs", "--controller", "127.0.0.1:2"}).err, HasSubstr("at 127.0.0.1:2:"));
  EXPECT_THAT(Manyarch({"--controller", "127.0.0.1:2", "jobs"}).err, HasSubstr("at 127.0.0.1:2:"));
}

TEST(Arguments, TheVersionNeedsNoController) {
  const RunResult result = Manyarch({"version"});
  EXPECT_EQ(result.exit.code, 0);
  EXPECT_THAT(result.out, HasSubstr("controller: none at 127.0.0.1:1"));
}

}  // namespace
}  // namespace manyarch::cli
