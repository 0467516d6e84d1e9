#include "worker/build/emulator_watch.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <map>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/cgroups.h"
#include "common/os/files.h"

namespace manyarch::worker {
namespace {

// What /proc says of qemu-user 7.2 as the first process of a container, its program having crashed.
std::string Status(absl::string_view state, absl::string_view pids, absl::string_view blocked) {
  return absl::StrCat("Name:\taarch64-binfmt-\nState:\t", state, "\nTgid:\t32279\nNSpid:\t", pids,
                      "\nThreads:\t2\nSigPnd:\t0000000000000000\nSigBlk:\t", blocked,
                      "\nSigIgn:\t0000000000000000\nSigCgt:\tffffffff7780faff\n");
}

// Of a process with these threads, the first of which names it.
int CrashOf(const std::map<std::string, std::string>& threads) {
  const TempDir dir = *TempDir::Make();
  for (const auto& [thread, status] : threads) {
    const std::string task = absl::StrCat(dir.path(), "/task/", thread);
    EXPECT_TRUE(MakeDirs(task).ok());
    EXPECT_TRUE(WriteFileAtomic(task + "/status", status).ok());
  }
  EXPECT_TRUE(WriteFileAtomic(dir.path() + "/status", threads.begin()->second).ok());
  return AwaitedCrash(dir.path());
}

int CrashOf(absl::string_view state, absl::string_view pids, absl::string_view blocked) {
  return CrashOf({{"32279", Status(state, pids, blocked)}});
}

TEST(AwaitedCrash, IsTheOneSignalThatAFirstProcessHasNotBlocked) {
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t88\t1", "fffffffe7ffbfaff"), SIGSEGV);
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t1", "fffffffe7ffbfedf"), SIGABRT);
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t1", "fffffffe7ffbfef7"), SIGILL);
}

TEST(AwaitedCrash, IsNoneForEverythingElse) {
  // Not the first of its namespace, or of none but the first namespace.
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t88\t2", "fffffffe7ffbfaff"), 0);
  EXPECT_EQ(CrashOf("S (sleeping)", "1", "fffffffe7ffbfaff"), 0);
  EXPECT_EQ(CrashOf("R (running)", "32279\t1", "fffffffe7ffbfaff"), 0);
  // Waiting for a child, for nothing at all, for an administrator.
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t1", "0000000000000000"), 0);
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t1", "fffffffe7ffbfeff"), 0);
  EXPECT_EQ(CrashOf("S (sleeping)", "32279\t1", "fffffffe7ffbbeff"), 0);
  EXPECT_EQ(CrashOf({{"32279", "Name:\tx\n"}}), 0);
  EXPECT_EQ(CrashOf({{"32279", ""}}), 0);
  EXPECT_EQ(AwaitedCrash("/proc/none"), 0);
}

// As /proc has it: the threads of the first process have numbers of their own.
TEST(AwaitedCrash, IsThatOfAnyThread) {
  const std::string first = Status("S (sleeping)", "32279\t1", "0000000000000000");
  const std::string helper = Status("S (sleeping)", "32280\t2", "fffffffe7ffbfa77");
  const std::string crashed = Status("S (sleeping)", "32281\t3", "fffffffe7ffbfef7");
  EXPECT_EQ(CrashOf({{"32279", first}, {"32280", helper}, {"32281", crashed}}), SIGILL);
  EXPECT_EQ(CrashOf({{"32279", first}, {"32280", helper}}), 0);
  const std::string second = Status("S (sleeping)", "32279\t88\t4", "0000000000000000");
  EXPECT_EQ(CrashOf({{"32279", second}, {"32281", crashed}}), 0);
}

// Waits as qemu does. Of system calls only, as between fork and exec.
[[noreturn]] void WaitForACrash() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigset_t all_but_one;
  sigfillset(&all_but_one);
  sigdelset(&all_but_one, SIGILL);
  for (;;) sigsuspend(&all_but_one);
}

TEST(EmulatorWatch, KillsThoseOfItsCgroupOnlyAndKnowsOfWhatTheyDied) {
  std::string hierarchy = "/sys/fs/cgroup";
  if (!PathExists(hierarchy + "/cgroup.controllers")) hierarchy += "/unified";
  if (!PathExists(hierarchy)) hierarchy = "/sys/fs/cgroup/pids";
  const std::string name = absl::StrCat("manyarch-watch-test-", getpid());
  const std::string watched = absl::StrCat(hierarchy, "/", name, "-1");
  const std::string other = watched + "0";
  if (mkdir(watched.c_str(), 0755) != 0) GTEST_SKIP() << "may not make cgroups here";
  ASSERT_EQ(mkdir(other.c_str(), 0755), 0);
  std::map<std::string, pid_t> children;
  for (const std::string& dir : {other, watched}) {
    // A fork whose child is the first of a namespace of its own.
    const auto pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    if (pid == 0) WaitForACrash();
    ASSERT_GT(pid, 0);
    children[dir] = pid;
    std::ofstream(dir + "/cgroup.procs") << pid;
  }
  const std::string spared = absl::StrCat("/proc/", children[other]);
  const absl::Time deadline = absl::Now() + absl::Minutes(1);
  while (AwaitedCrash(spared) == 0 && absl::Now() < deadline) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  EXPECT_EQ(AwaitedCrash(spared), SIGILL);
  EmulatorWatch watch(name + "-1", absl::Milliseconds(5));
  int status = 0;
  ASSERT_EQ(waitpid(children[watched], &status, 0), children[watched]);
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
  EXPECT_EQ(watch.Stop(), SIGILL);
  EXPECT_EQ(waitpid(children[other], &status, WNOHANG), 0);

  kill(children[other], SIGKILL);
  waitpid(children[other], &status, 0);
  EXPECT_TRUE(RemoveCgroupsNamed(name).ok());
}

}  // namespace
}  // namespace manyarch::worker
