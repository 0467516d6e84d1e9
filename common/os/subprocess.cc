#include "common/os/subprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"

namespace manyarch {

namespace {

// How long a process outside of the group may hold our pipe open after the command has ended.
constexpr absl::Duration kDrainLimit = absl::Seconds(2);

ExitStatus Reap(pid_t pid) {
  int status = 0;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  ExitStatus result;
  result.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  result.code = WIFSIGNALED(status) ? 128 + result.signal : WEXITSTATUS(status);
  return result;
}

int PollTimeout(absl::Duration left) {
  if (left >= absl::Hours(1)) return 3600 * 1000;
  // Rounded up, so that the deadline has passed when poll returns.
  return static_cast<int>(absl::ToInt64Milliseconds(std::max(left, absl::ZeroDuration())) + 1);
}

struct Pipe {
  UniqueFd ours;
  UniqueFd theirs;
};

absl::StatusOr<Pipe> MakePipe(bool we_read) {
  int fds[2];
  if (pipe2(fds, O_CLOEXEC) != 0) return absl::ErrnoToStatus(errno, "making a pipe");
  Pipe result{UniqueFd(fds[we_read ? 0 : 1]), UniqueFd(fds[we_read ? 1 : 0])};
  fcntl(result.ours.get(), F_SETFL, O_NONBLOCK);
  return result;
}

// Runs one command: its pipes, its deadline, the order of its end.
class Runner {
 public:
  Runner(const Command& command, const RunOptions& options)
      : command_(command), options_(options), input_(options.stdin_bytes) {}

  absl::StatusOr<RunResult> Run() {
    MA_ASSIGN_OR_RETURN(Pipe out, MakePipe(true));
    Pipe err, in;
    const bool merged = options_.merge_stderr || options_.on_output != nullptr;
    if (!merged) {
      MA_ASSIGN_OR_RETURN(err, MakePipe(true));
    }
    if (!input_.empty()) {
      MA_ASSIGN_OR_RETURN(in, MakePipe(false));
    }
    StandardFds fds;
    fds.in = in.theirs.get();
    fds.out = out.theirs.get();
    fds.err = merged ? out.theirs.get() : err.theirs.get();
    MA_ASSIGN_OR_RETURN(process_, Spawn(command_, fds));
    out_ = std::move(out.ours);
    err_ = std::move(err.ours);
    in_ = std::move(in.ours);
    out.theirs.reset();
    err.theirs.reset();
    in.theirs.reset();
    Watch();
    // Before the reaping: until then the group's id cannot be anybody else's.
    kill(-process_.pid, SIGKILL);
    Drain();
    result_.exit = Reap(process_.pid);
    return std::move(result_);
  }

 private:
  void Watch() {
    const absl::Time deadline = absl::Now() + options_.timeout;
    absl::Time kill_at = absl::InfiniteFuture();
    bool ending = false;
    while (true) {
      pollfd fds[] = {{out_.get(), POLLIN, 0},
                      {err_.get(), POLLIN, 0},
                      {in_.get(), POLLOUT, 0},
                      {process_.pidfd.get(), POLLIN, 0},
                      {options_.stop != nullptr && !ending ? options_.stop->fd() : -1, POLLIN, 0}};
      poll(fds, 5, PollTimeout((ending ? kill_at : deadline) - absl::Now()));
      if (fds[0].revents != 0) Read(out_, result_.out);
      if (fds[1].revents != 0) Read(err_, result_.err);
      if (fds[2].revents != 0) Write();
      if (fds[3].revents != 0) return;
      const absl::Time now = absl::Now();
      if (!ending) {
        result_.stopped = options_.stop != nullptr && options_.stop->stopped();
        result_.timed_out = !result_.stopped && now >= deadline;
        if (result_.stopped || result_.timed_out) {
          ending = true;
          kill_at = now + options_.grace;
          kill(-process_.pid, SIGTERM);
        }
      } else if (now >= kill_at) {
        kill(-process_.pid, SIGKILL);
        kill_at = absl::InfiniteFuture();
      }
    }
  }

  void Drain() {
    const absl::Time end = absl::Now() + kDrainLimit;
    while ((out_.ok() || err_.ok()) && absl::Now() < end) {
      pollfd fds[] = {{out_.get(), POLLIN, 0}, {err_.get(), POLLIN, 0}};
      poll(fds, 2, PollTimeout(end - absl::Now()));
      if (fds[0].revents != 0) Read(out_, result_.out);
      if (fds[1].revents != 0) Read(err_, result_.err);
    }
  }

  // Once, so that a chatty program does not keep us from its deadline.
  void Read(UniqueFd& fd, std::string& kept) {
    char buffer[65536];
    const ssize_t n = read(fd.get(), buffer, sizeof buffer);
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) return;
    if (n <= 0) {
      fd.reset();
      return;
    }
    const absl::string_view bytes(buffer, static_cast<size_t>(n));
    if (options_.on_output) {
      options_.on_output(bytes);
    } else {
      kept.append(bytes.data(), bytes.size());
    }
  }

  void Write() {
    // SIGPIPE is not ours to change; MSG_NOSIGNAL works on sockets only. So: blocked for this
    // write.
    sigset_t pipe_signal, before;
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
    const ssize_t n = write(in_.get(), input_.data(), input_.size());
    const int error = errno;
    if (n < 0 && error == EPIPE) {
      const timespec none = {};
      sigtimedwait(&pipe_signal, nullptr, &none);
    }
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (n > 0) input_.remove_prefix(static_cast<size_t>(n));
    if (input_.empty() || (n < 0 && error != EINTR && error != EAGAIN)) in_.reset();
  }

  const Command& command_;
  const RunOptions& options_;
  absl::string_view input_;
  SpawnedProcess process_;
  UniqueFd out_, err_, in_;
  RunResult result_;
};

}  // namespace

std::string ToString(const ExitStatus& status) {
  if (status.signal == 0) return absl::StrCat("exit code ", status.code);
  return absl::StrCat("killed by signal ", status.signal, " (", strsignal(status.signal), ")");
}

absl::StatusOr<RunResult> RunCommand(const Command& command, const RunOptions& options) {
  return Runner(command, options).Run();
}

absl::StatusOr<std::string> RunChecked(const Command& command, const RunOptions& options) {
  MA_ASSIGN_OR_RETURN(RunResult result, RunCommand(command, options));
  if (result.ok()) return std::move(result.out);
  absl::string_view said = absl::StripAsciiWhitespace(result.err.empty() ? result.out : result.err);
  if (said.size() > 2000) said = said.substr(said.size() - 2000);
  const std::string how =
      result.stopped     ? "stopped"
      : result.timed_out ? absl::StrCat("not done after ", absl::FormatDuration(options.timeout))
                         : ToString(result.exit);
  const std::string message = absl::StrCat("running ", absl::StrJoin(command.argv, " "), ": ", how,
                                           said.empty() ? "" : ": ", said);
  if (result.stopped) return absl::CancelledError(message);
  if (result.timed_out) return absl::DeadlineExceededError(message);
  return absl::InternalError(message);
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Command& command,
                                                                  const StandardFds& fds) {
  MA_ASSIGN_OR_RETURN(SpawnedProcess process, Spawn(command, fds));
  return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(process)));
}

ChildProcess::~ChildProcess() {
  Signal(SIGKILL);
  WaitFor(absl::InfiniteDuration());
}

void ChildProcess::Signal(int signal) {
  if (!ended_.has_value()) kill(-process_.pid, signal);
}

std::optional<ExitStatus> ChildProcess::WaitFor(absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  while (!ended_.has_value()) {
    pollfd fd = {process_.pidfd.get(), POLLIN, 0};
    if (poll(&fd, 1, PollTimeout(end - absl::Now())) == 1) {
      kill(-process_.pid, SIGKILL);
      ended_ = Reap(process_.pid);
    } else if (absl::Now() >= end) {
      return std::nullopt;
    }
  }
  return ended_;
}

ExitStatus ChildProcess::Stop(absl::Duration grace) {
  Signal(SIGTERM);
  std::optional<ExitStatus> status = WaitFor(grace);
  if (!status.has_value()) {
    Signal(SIGKILL);
    status = WaitFor(absl::InfiniteDuration());
  }
  return *status;
}

}  // namespace manyarch
