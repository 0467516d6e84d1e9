#include "common/os/spawn.h"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "common/base/status_macros.h"

namespace manyarch {

namespace {

// Everything the child needs, made before the fork: after it only async-signal-safe calls are
// allowed.
struct Plan {
  const char* path = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;
  const char* cwd = nullptr;
  const char* chroot = nullptr;
  bool namespaces = false;
  int in = -1, out = -1, err = -1;
  int report = -1;  // Write end: what failed before or at exec; closes on exec.
  int alive = -1;   // Read end of a pipe whose other end only the parent has.
};

// fork() with flags of clone(2), and without what glibc's does beside: the child only execs.
pid_t RawFork(unsigned long flags) {
#ifdef __s390x__
  return static_cast<pid_t>(syscall(SYS_clone, 0UL, flags | SIGCHLD, 0UL, 0UL, 0UL));
#else
  return static_cast<pid_t>(syscall(SYS_clone, flags | SIGCHLD, 0UL, 0UL, 0UL, 0UL));
#endif
}

// Sent over the report pipe.
struct Failure {
  int step;
  int error;
};
constexpr const char* kSteps[] = {"setting up its descriptors",
                                  "making its mounts private",
                                  "mounting its /proc",
                                  "forking",
                                  "changing its root to",
                                  "changing its directory to",
                                  "running"};

constexpr int kReportFd = 3;
constexpr int kAliveFd = 4;

[[noreturn]] void Fail(int step) {
  const Failure failure = {step, errno};
  static_cast<void>(!write(kReportFd, &failure, sizeof failure));
  _exit(127);
}

void ArrangeFds(const Plan& plan) {
  // Up and out of the way first, so that no dup2 overwrites one that is still wanted.
  int high[5];
  const int from[5] = {plan.in, plan.out, plan.err, plan.report, plan.alive};
  for (int i = 0; i < 5; ++i) {
    const int source = from[i] >= 0 ? from[i] : open("/dev/null", O_RDWR | O_CLOEXEC);
    high[i] = fcntl(source, F_DUPFD_CLOEXEC, 10);
    if (high[i] < 0) _exit(127);
  }
  dup3(high[3], kReportFd, O_CLOEXEC);
  dup3(high[4], kAliveFd, O_CLOEXEC);
  for (int i = 0; i < 3; ++i) {
    if (dup2(high[i], i) < 0) Fail(0);
  }
  if (syscall(SYS_close_range, kAliveFd + 1, UINT_MAX, 0) != 0) Fail(0);
}

// The death signal is lost when the parent ended before it was asked for; the pipe shows that.
void DieWithParent() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  pollfd parent = {kAliveFd, POLLIN, 0};
  if (poll(&parent, 1, 0) == 1) _exit(127);
}

[[noreturn]] void Execute(const Plan& plan) {
  if (plan.chroot != nullptr && (chroot(plan.chroot) != 0 || chdir("/") != 0)) Fail(4);
  if (plan.cwd != nullptr && chdir(plan.cwd) != 0) Fail(5);
  execve(plan.path, plan.argv, plan.env);
  Fail(6);
}

// The first process of the namespace: reaps what is orphaned and ends with the command.
[[noreturn]] void RunAsInit(const Plan& plan) {
  if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) Fail(1);
  if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) != 0) Fail(2);
  const pid_t command = RawFork(0);
  if (command < 0) Fail(3);
  if (command == 0) {
    // The command gets a death signal too: it must not outlive the process that is to report its
    // end.
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    Execute(plan);
  }
  syscall(SYS_close_range, 0, UINT_MAX, 0);
  while (true) {
    int status = 0;
    const pid_t pid = waitpid(-1, &status, 0);
    if (pid == command) _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    if (pid < 0 && errno != EINTR) _exit(127);
  }
}

[[noreturn]] void Child(const Plan& plan) {
  setpgid(0, 0);
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
  }
  ArrangeFds(plan);
  DieWithParent();
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (plan.namespaces) RunAsInit(plan);
  Execute(plan);
}

std::vector<char*> Pointers(const std::vector<std::string>& strings) {
  std::vector<char*> result;
  for (const std::string& s : strings) result.push_back(const_cast<char*>(s.c_str()));
  result.push_back(nullptr);
  return result;
}

absl::Status MakePipe(UniqueFd& read_end, UniqueFd& write_end) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "making a pipe");
  read_end.reset(fds[0]);
  write_end.reset(fds[1]);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::string> FindProgram(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  const char* path = getenv("PATH");
  for (absl::string_view dir :
       absl::StrSplit(path != nullptr ? path : "/usr/sbin:/usr/bin:/sbin:/bin", ':')) {
    std::string candidate = absl::StrCat(dir.empty() ? "." : dir, "/", name);
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
  }
  return absl::NotFoundError(
      absl::StrCat("the program '", name, "' is not on PATH: install it, or put it there"));
}

absl::StatusOr<SpawnedProcess> Spawn(const Command& command, const StandardFds& fds) {
  if (command.argv.empty()) return absl::InvalidArgumentError("starting a program: no argv");
  const std::string context = absl::StrCat("starting ", command.argv[0]);
  std::string path = command.argv[0];
  if (command.chroot.empty()) {
    MA_ASSIGN_OR_RETURN(path, FindProgram(command.argv[0]));
  }
  const std::vector<char*> argv = Pointers(command.argv);
  std::vector<char*> env;
  if (command.env.has_value()) env = Pointers(*command.env);

  UniqueFd report_in, report_out, alive_in, alive_out;
  MA_RETURN_IF_ERROR(Annotate(MakePipe(report_in, report_out), context));
  MA_RETURN_IF_ERROR(Annotate(MakePipe(alive_in, alive_out), context));
  Plan plan;
  plan.path = path.c_str();
  plan.argv = argv.data();
  plan.env = command.env.has_value() ? env.data() : environ;
  plan.cwd = command.cwd.empty() ? nullptr : command.cwd.c_str();
  plan.chroot = command.chroot.empty() ? nullptr : command.chroot.c_str();
  plan.namespaces = command.own_namespaces;
  plan.in = fds.in;
  plan.out = fds.out;
  plan.err = fds.err;
  plan.report = report_out.get();
  plan.alive = alive_in.get();

  // Signals that arrive between fork and the child's own set-up must not run our handlers there.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = plan.namespaces ? RawFork(CLONE_NEWPID | CLONE_NEWNS) : fork();
  const int fork_error = errno;
  if (pid == 0) Child(plan);
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return absl::ErrnoToStatus(
        fork_error,
        absl::StrCat(context, plan.namespaces ? ": making its namespaces (needs root)" : ": fork"));
  }
  setpgid(pid, pid);  // Here too: whoever is first, the group exists when this returns.
  report_out.reset();
  Failure failure = {};
  ssize_t n = 0;
  do {
    n = read(report_in.get(), &failure, sizeof failure);
  } while (n < 0 && errno == EINTR);
  SpawnedProcess process;
  process.pid = pid;
  if (n == sizeof failure) {
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    const absl::string_view object = failure.step == 4   ? absl::string_view(command.chroot)
                                     : failure.step == 5 ? absl::string_view(command.cwd)
                                     : failure.step == 6 ? absl::string_view(path)
                                                         : "";
    return absl::ErrnoToStatus(failure.error, absl::StrCat(context, ": ", kSteps[failure.step],
                                                           object.empty() ? "" : " ", object));
  }
  process.pidfd.reset(static_cast<int>(syscall(SYS_pidfd_open, pid, 0)));
  if (!process.pidfd.ok()) {
    const int error = errno;
    kill(-pid, SIGKILL);
    while (waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
    }
    return absl::ErrnoToStatus(error, absl::StrCat(context, ": pidfd_open"));
  }
  return process;
}

}  // namespace manyarch
