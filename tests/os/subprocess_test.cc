#include "common/os/subprocess.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace manyarch {
namespace {

using ::testing::HasSubstr;

Command Sh(std::string script) {
  Command command;
  command.argv = {"/bin/sh", "-c", std::move(script)};
  return command;
}

// Whether the process is gone, or waits only for its new parent to reap it, before a generous
// deadline.
bool Gone(pid_t pid) {
  const absl::Time end = absl::Now() + absl::Seconds(30);
  while (absl::Now() < end) {
    const auto stat = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
    if (!stat.ok() || absl::StrContains(*stat, ") Z ")) return true;
    absl::SleepFor(absl::Milliseconds(5));
  }
  return false;
}

TEST(RunCommand, KeepsOutputAndErrorsApartAndTellsTheExitCode) {
  const RunResult result = *RunCommand(Sh("echo out; echo err >&2; exit 3"));
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_EQ(result.exit.code, 3);
  EXPECT_EQ(result.exit.signal, 0);
  EXPECT_FALSE(result.ok());
}

TEST(RunCommand, StreamsBothMergedInTheirOrder) {
  std::string seen;
  RunOptions options;
  options.on_output = [&](absl::string_view bytes) { seen.append(bytes.data(), bytes.size()); };
  const RunResult result = *RunCommand(Sh("echo a; echo b >&2; echo c"), options);
  EXPECT_EQ(seen, "a\nb\nc\n");
  EXPECT_TRUE(result.ok());
}

TEST(RunCommand, TellsASignalFromAnExit) {
  const RunResult result = *RunCommand(Sh("kill -9 $$"));
  EXPECT_EQ(result.exit.signal, SIGKILL);
  EXPECT_EQ(result.exit.code, 137);
  EXPECT_EQ(ToString(result.exit), "killed by signal 9 (Killed)");
}

TEST(RunCommand, FeedsStdinAndSurvivesAReaderThatDoesNotRead) {
  RunOptions options;
  options.stdin_bytes = std::string(1 << 20, 'x');
  EXPECT_EQ(absl::StripAsciiWhitespace(RunCommand(Sh("wc -c"), options)->out), "1048576");
  EXPECT_TRUE(RunCommand(Sh("exec <&-; true"), options)->ok());
}

TEST(RunCommand, DrainsABigOutputBeforeItReaps) {
  const RunResult result = *RunCommand(Sh("head -c 3000000 /dev/zero"));
  EXPECT_EQ(result.out.size(), 3000000u);
}

TEST(RunCommand, GivesAnEmptyStdinItsOwnGroupAndNoOtherDescriptors) {
  int fds[2];
  ASSERT_EQ(pipe(fds), 0);  // Without CLOEXEC, on purpose.
  const RunResult result =
      *RunCommand(Sh("cat; test $(cut -d' ' -f5 /proc/$$/stat) = $$ && echo leader; for f in "
                     "/proc/$$/fd/*; do echo ${f##*/}; done"));
  close(fds[0]);
  close(fds[1]);
  // 10 is dash's own.
  EXPECT_THAT(result.out, ::testing::StartsWith("leader\n0\n1\n2\n"));
  EXPECT_THAT(result.out, ::testing::Not(HasSubstr(absl::StrCat("\n", fds[1], "\n"))));
}

TEST(RunCommand, UsesTheEnvironmentAndDirectoryGiven) {
  Command command = Sh("echo $A $HOME; pwd");
  command.env = {"A=1"};
  command.cwd = "/usr";
  EXPECT_EQ(RunCommand(command)->out, "1\n/usr\n");
}

TEST(RunCommand, AProgramThatIsNotThereOrDirectoryIsAnErrorWithItsName) {
  Command command;
  command.argv = {"manyarch-no-such-program"};
  EXPECT_THAT(std::string(RunCommand(command).status().message()), HasSubstr("is not on PATH"));
  command.argv = {"/etc/passwd"};
  EXPECT_THAT(std::string(RunCommand(command).status().message()),
              HasSubstr("running /etc/passwd: Permission denied"));
  command = Sh("true");
  command.cwd = "/no/such/dir";
  EXPECT_THAT(std::string(RunCommand(command).status().message()), HasSubstr("/no/such/dir"));
}

TEST(RunCommand, TooSlowIsEndedWithTermThenKill) {
  RunOptions options;
  options.timeout = absl::Milliseconds(50);
  options.grace = absl::Milliseconds(50);
  const RunResult polite = *RunCommand(Sh("sleep 1000"), options);
  EXPECT_TRUE(polite.timed_out);
  EXPECT_EQ(polite.exit.signal, SIGTERM);
  const RunResult stubborn = *RunCommand(Sh("trap '' TERM; while :; do sleep 1; done"), options);
  EXPECT_TRUE(stubborn.timed_out);
  EXPECT_EQ(stubborn.exit.signal, SIGKILL);
}

TEST(RunCommand, StopEndsTheWholeGroup) {
  StopToken stop;
  RunOptions options;
  options.stop = &stop;
  std::string seen;
  options.on_output = [&](absl::string_view bytes) {
    seen.append(bytes.data(), bytes.size());
    stop.Stop("enough");
  };
  const RunResult result = *RunCommand(Sh("sleep 1000 & echo $!; wait"), options);
  EXPECT_TRUE(result.stopped);
  int sleeper = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripAsciiWhitespace(seen), &sleeper)) << seen;
  EXPECT_TRUE(Gone(sleeper));
}

TEST(RunCommand, WhatItLeavesBehindInItsGroupIsKilled) {
  const RunResult result = *RunCommand(Sh("sleep 1000 & echo $!"));
  int sleeper = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripAsciiWhitespace(result.out), &sleeper));
  EXPECT_TRUE(result.ok());
  EXPECT_TRUE(Gone(sleeper));
}

TEST(RunCommand, DiesWithTheThreadThatStartedIt) {
  std::unique_ptr<ChildProcess> child;
  std::thread([&] { child = *ChildProcess::Start(Sh("sleep 1000")); }).join();
  const std::optional<ExitStatus> status = child->WaitFor(absl::Seconds(30));
  ASSERT_TRUE(status.has_value());
  EXPECT_EQ(status->signal, SIGKILL);
}

TEST(RunChecked, PutsTheCommandAndItsLastWordsIntoTheError) {
  EXPECT_EQ(*RunChecked(Sh("echo fine")), "fine\n");
  const absl::Status status = RunChecked(Sh("echo no good >&2; exit 4")).status();
  EXPECT_THAT(std::string(status.message()), HasSubstr("exit code 4: no good"));
}

TEST(ChildProcess, StopsOnRequestAndReportsItsEndRepeatedly) {
  auto child = *ChildProcess::Start(Sh("sleep 1000"));
  EXPECT_FALSE(child->WaitFor(absl::ZeroDuration()).has_value());
  EXPECT_EQ(child->Stop(absl::Seconds(30)).signal, SIGTERM);
  EXPECT_EQ(child->WaitFor(absl::ZeroDuration())->signal, SIGTERM);
}

class NamespaceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Command command = Sh("true");
    command.own_namespaces = true;
    if (!RunCommand(command).ok()) GTEST_SKIP() << "needs the right to make namespaces";
  }
};

TEST_F(NamespaceTest, SeesOnlyItsOwnProcessesAndPassesTheExitCodeOn) {
  Command command = Sh("ls -d /proc/[0-9]* | wc -l; exit 7");
  command.own_namespaces = true;
  const RunResult result = *RunCommand(command);
  EXPECT_EQ(result.exit.code, 7);
  int processes = 0;
  ASSERT_TRUE(absl::SimpleAtoi(absl::StripAsciiWhitespace(result.out), &processes));
  EXPECT_LE(processes, 4);  // init, sh, ls, wc
}

TEST_F(NamespaceTest, NothingSurvivesItsEndNotEvenWhatLeftTheGroup) {
  Command command = Sh("setsid sleep 1000 & echo started; wait");
  command.own_namespaces = true;
  StopToken stop;
  RunOptions options;
  options.stop = &stop;
  options.on_output = [&](absl::string_view) { stop.Stop("enough"); };
  const absl::Time start = absl::Now();
  // The sleeper holds our pipe: this returns early only if it is dead.
  EXPECT_TRUE(RunCommand(command, options)->stopped);
  EXPECT_LT(absl::Now() - start, absl::Seconds(900));
}

TEST_F(NamespaceTest, AMountGoesWithIt) {
  TempDir dir = *TempDir::Make();
  Command command = Sh(absl::StrCat("mount -t tmpfs none ", dir.path(), " && touch ", dir.path(),
                                    "/f && ls ", dir.path()));
  command.own_namespaces = true;
  EXPECT_EQ(RunCommand(command)->out, "f\n");
  EXPECT_FALSE(PathExists(dir.path() + "/f"));
}

TEST_F(NamespaceTest, DiesWithTheThreadThatStartedIt) {
  std::unique_ptr<ChildProcess> child;
  std::thread([&] {
    Command command = Sh("trap '' TERM; sleep 1000");
    command.own_namespaces = true;
    child = *ChildProcess::Start(command);
  }).join();
  ASSERT_TRUE(child->WaitFor(absl::Seconds(30)).has_value());
}

TEST_F(NamespaceTest, AnErrorOfExecIsReported) {
  Command command;
  command.argv = {"/etc/passwd"};
  command.own_namespaces = true;
  EXPECT_THAT(std::string(RunCommand(command).status().message()), HasSubstr("Permission denied"));
}

}  // namespace
}  // namespace manyarch
