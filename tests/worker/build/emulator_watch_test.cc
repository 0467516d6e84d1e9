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
#include <vector>

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

// Processes in cgroups of the test's own, each the first of a namespace, that wait as qemu does.
class EmulatorWatchTest : public ::testing::Test {
 protected:
  void SetUp() override {
    hierarchy_ = "/sys/fs/cgroup";
    if (!PathExists(hierarchy_ + "/cgroup.controllers")) hierarchy_ += "/unified";
    if (!PathExists(hierarchy_)) hierarchy_ = "/sys/fs/cgroup/pids";
    if (mkdir(absl::StrCat(hierarchy_, "/", name_, "-1").c_str(), 0755) != 0) {
      GTEST_SKIP() << "may not make cgroups here";
    }
    ASSERT_EQ(mkdir(absl::StrCat(hierarchy_, "/", name_, "-10").c_str(), 0755), 0);
  }
  void TearDown() override {
    for (const pid_t pid : children_) {
      kill(pid, SIGKILL);
      waitpid(pid, nullptr, 0);
    }
    EXPECT_TRUE(RemoveCgroupsNamed(name_).ok());
  }

  // Returns when it waits.
  pid_t Start(const std::string& program, const std::string& cgroup) {
    const std::string path = dir_.path() + "/" + program;
    if (!PathExists(path)) {
      EXPECT_TRUE(WriteFileAtomic(path, *ReadFile(CRASHED_PROGRAM), 0755).ok());
    }
    char* const argv[] = {const_cast<char*>(path.c_str()), nullptr};
    // A fork whose child is the first of a namespace of its own: of system calls only.
    const auto pid = static_cast<pid_t>(syscall(SYS_clone, CLONE_NEWPID | SIGCHLD, 0, 0, 0, 0));
    if (pid == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      execv(argv[0], argv);
      _exit(127);
    }
    children_.push_back(pid);
    std::ofstream(absl::StrCat(hierarchy_, "/", cgroup, "/cgroup.procs")) << pid;
    const absl::Time deadline = absl::Now() + absl::Minutes(1);
    while (AwaitedCrash(absl::StrCat("/proc/", pid)) == 0 && absl::Now() < deadline) {
      absl::SleepFor(absl::Milliseconds(5));
    }
    EXPECT_EQ(AwaitedCrash(absl::StrCat("/proc/", pid)), SIGILL);
    return pid;
  }
  // Waits for it to be killed.
  void ExpectKilled(pid_t pid) {
    int status = 0;
    ASSERT_EQ(waitpid(pid, &status, 0), pid);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL) << status;
    std::erase(children_, pid);
  }
  static bool Lives(pid_t pid) { return waitpid(pid, nullptr, WNOHANG) == 0; }

  const std::string name_ = absl::StrCat("manyarch-watch-test-", getpid());
  const TempDir dir_ = *TempDir::Make();
  std::string hierarchy_;
  std::vector<pid_t> children_;
};

TEST_F(EmulatorWatchTest, KillsThoseOfItsCgroupOnlyAndKnowsOfWhatTheyDied) {
  const pid_t other = Start("emulator", name_ + "-10");
  const pid_t watched = Start("emulator", name_ + "-1");
  EmulatorWatch watch(name_ + "-1", Watched::kAll, absl::Milliseconds(5));
  ExpectKilled(watched);
  const CrashedEmulator crashed = watch.Stop();
  EXPECT_EQ(crashed.signal, SIGILL);
  EXPECT_EQ(crashed.arch, "");
  EXPECT_TRUE(Lives(other));
}

TEST_F(EmulatorWatchTest, WhereMostProgramsAreNativeItTellsEmulatorsByTheirNames) {
  const pid_t program = Start("server", name_ + "-1");
  const pid_t emulator = Start("qemu-aarch64-static", name_ + "-1");
  EmulatorWatch watch(name_ + "-1", Watched::kQemus, absl::Milliseconds(5));
  ExpectKilled(emulator);
  const CrashedEmulator crashed = watch.Stop();  // It has looked at both.
  EXPECT_EQ(crashed.signal, SIGILL);
  EXPECT_EQ(crashed.arch, "arm64");
  EXPECT_TRUE(Lives(program));
}

}  // namespace
}  // namespace manyarch::worker
