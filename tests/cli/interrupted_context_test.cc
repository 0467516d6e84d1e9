// Whatever ends a build before it is submitted, no clone and no unpacked archive is left.
#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <filesystem>
#include <functional>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/os/subprocess.h"
#include "gtest/gtest.h"
#include "tests/cli/mute_listener.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

namespace fs = std::filesystem;

class InterruptedContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    scratch_.Dir("tmp");
    // A remote that never answers, and leaves its process id.
    scratch_.File("ssh",
                  "#!/bin/sh\necho $$ >\"$PIDFILE.new\"\nmv \"$PIDFILE.new\" \"$PIDFILE\"\n"
                  "exec sleep 1000\n",
                  0755);
  }

  std::unique_ptr<ChildProcess> Build(const std::string& context, int in = -1,
                                      const std::string& controller = "127.0.0.1:1") const {
    Command command;
    command.argv = {MANYARCH_BINARY, "--controller", controller, "build", "-t",
                    "r.example/a:1", context};
    command.env = std::vector<std::string>{
        "PATH=/usr/bin:/bin",
        "HOME=" + scratch_.path(),
        "TMPDIR=" + scratch_.At("tmp"),
        "GIT_SSH_COMMAND=" + scratch_.At("ssh"),
        "PIDFILE=" + scratch_.At("pid"),
    };
    StandardFds fds;
    fds.in = in;
    auto child = ChildProcess::Start(command, fds);
    EXPECT_TRUE(child.ok()) << child.status();
    return *std::move(child);
  }

  static bool Await(const std::function<bool()>& condition) {
    for (const absl::Time end = absl::Now() + absl::Seconds(60); absl::Now() < end;) {
      if (condition()) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
  // Whoever it belongs to now may not have reaped it.
  static bool HasEnded(pid_t pid) {
    const std::string state = ReadFile(absl::StrCat("/proc/", pid, "/stat")).value_or("");
    return state.empty() || absl::StrContains(state, ") Z ");
  }
  pid_t Remote() const {
    EXPECT_TRUE(Await([&] { return PathExists(scratch_.At("pid")); }));
    int pid = 0;
    EXPECT_TRUE(absl::SimpleAtoi(ReadFile(scratch_.At("pid")).value_or(""), &pid));
    return pid;
  }
  std::vector<std::string> Left() const {
    std::vector<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_.At("tmp"))) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }
  bool Unpacking() const {
    for (const std::string& name : Left()) {
      std::error_code error;
      if (fs::file_size(scratch_.At("tmp/" + name + "/files"), error) > 0 && !error) return true;
    }
    return false;
  }
  int EndOf(ChildProcess& build) const {
    const auto exit = build.WaitFor(absl::Seconds(60));
    EXPECT_TRUE(exit.has_value());
    return exit ? exit->code : -1;
  }

  Scratch scratch_;
};

TEST_F(InterruptedContextTest, CtrlCAndTermEndACloneWithItsGit) {
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    unlink(scratch_.At("pid").c_str());
    const auto build = Build("ssh://host.example/repo.git");
    const pid_t remote = Remote();
    ASSERT_EQ(Left().size(), 1u);
    build->Signal(signal);
    EXPECT_EQ(EndOf(*build), 128 + signal);
    EXPECT_TRUE(Left().empty()) << Left()[0];
    EXPECT_TRUE(Await([&] { return HasEnded(remote); })) << "git's ssh is still there";
  }
}

// A tar archive whose end never comes.
class OpenArchive {
 public:
  explicit OpenArchive(const Scratch& scratch) {
    scratch.File("ctx/Containerfile", "FROM scratch\n");
    scratch.File("ctx/big", std::string(4 << 20, 'x'));
    bytes_ = *RunChecked({.argv = {"tar", "-C", scratch.At("ctx"), "-c", "big", "Containerfile"}});
    EXPECT_EQ(pipe2(fds_, O_CLOEXEC), 0);
  }
  ~OpenArchive() {
    close(fds_[0]);
    if (fds_[1] >= 0) close(fds_[1]);
  }
  int end() const { return fds_[0]; }
  void Write(size_t bytes) const {
    EXPECT_TRUE(WriteAll(fds_[1], absl::string_view(bytes_).substr(0, bytes)).ok());
  }
  void WriteAllOfIt() {
    Write(bytes_.size());
    close(fds_[1]);
    fds_[1] = -1;
  }

 private:
  std::string bytes_;
  int fds_[2] = {-1, -1};
};

TEST_F(InterruptedContextTest, CtrlCAndTermEndAnArchiveThatIsBeingUnpacked) {
  for (const int signal : {SIGINT, SIGTERM}) {
    const OpenArchive archive(scratch_);
    const auto build = Build("-", archive.end());
    archive.Write(3 << 20);
    ASSERT_TRUE(Await([&] { return Unpacking(); }));
    build->Signal(signal);
    EXPECT_EQ(EndOf(*build), 128 + signal);
    EXPECT_TRUE(Left().empty()) << Left()[0];
  }
}

TEST_F(InterruptedContextTest, AlsoWhereTheControllerIsWaitedFor) {
  const MuteListener mute;
  OpenArchive archive(scratch_);
  const auto build = Build("-", archive.end(), mute.address());
  archive.WriteAllOfIt();
  const UniqueFd connection = mute.Accept();
  ASSERT_EQ(Left().size(), 1u);
  build->Signal(SIGINT);
  EXPECT_EQ(EndOf(*build), 130);
  EXPECT_TRUE(Left().empty()) << Left()[0];
}

TEST_F(InterruptedContextTest, WhatAKilledOneHasLeftGoesWithTheNextButNothingThatIsInUse) {
  const auto killed = Build("ssh://host.example/repo.git");
  Remote();
  killed->Signal(SIGKILL);
  EXPECT_EQ(EndOf(*killed), 128 + SIGKILL);
  ASSERT_EQ(Left().size(), 1u);
  const std::string left = scratch_.At("tmp/" + Left()[0]);

  scratch_.File("tmp/manyarch-context-inuse/a", "x");
  const UniqueFd lock(
      open(scratch_.At("tmp/manyarch-context-inuse").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  ASSERT_EQ(flock(lock.get(), LOCK_EX), 0);
  scratch_.File("tmp/manyarch-context-young/a", "x");
  const timespec hour_ago[2] = {absl::ToTimespec(absl::Now() - absl::Hours(1)),
                                absl::ToTimespec(absl::Now() - absl::Hours(1))};
  for (const std::string& path : {left, scratch_.At("tmp/manyarch-context-inuse")}) {
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), hour_ago, 0), 0);
  }
  const auto next = Build("file://" + scratch_.At("no-repository"));
  EXPECT_EQ(EndOf(*next), 2);
  EXPECT_FALSE(PathExists(left));
  EXPECT_TRUE(PathExists(scratch_.At("tmp/manyarch-context-inuse/a")));
  EXPECT_TRUE(PathExists(scratch_.At("tmp/manyarch-context-young/a")));
  EXPECT_EQ(Left().size(), 2u);
}

}  // namespace
}  // namespace manyarch::cli
