#include "tests/cli/terminal.h"

#include <poll.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "absl/time/clock.h"

namespace manyarch::cli {

void Screen::Write(const std::string& bytes) {
  for (const char c : bytes) {
    if (!pending_.empty()) {
      pending_.push_back(c);
      // "ESC [", parameters, and one final letter.
      if (pending_.size() > 2 && c >= '@' && c <= '~') {
        Control(pending_);
        pending_.clear();
      }
    } else if (c == '\x1b') {
      pending_ = c;
    } else if (c == '\r') {
      column_ = 0;
    } else if (c == '\n') {
      ++row_;
    } else {
      Put(c);
    }
    if (row_ >= rows_.size()) rows_.resize(row_ + 1);
  }
}

void Screen::Put(char c) {
  if (column_ == width_) {
    ++wraps_;
    ++row_;
    column_ = 0;
    if (row_ >= rows_.size()) rows_.resize(row_ + 1);
  }
  std::string& row = rows_[row_];
  if (row.size() <= column_) row.resize(column_ + 1, ' ');
  row[column_++] = c;
}

void Screen::Control(const std::string& sequence) {
  const char what = sequence.back();
  const size_t number = static_cast<size_t>(std::max(1, atoi(sequence.c_str() + 2)));
  if (what == 'A') {
    row_ -= std::min(row_, number);
  } else if (what == 'J') {
    rows_.resize(row_ + 1);
    rows_[row_].resize(std::min(rows_[row_].size(), column_));
  } else if (what == 'm') {
    has_colors_ = true;
  } else if (sequence == "\x1b[?25l") {
    cursor_is_hidden_ = true;
  } else if (sequence == "\x1b[?25h") {
    cursor_is_hidden_ = false;
  } else {
    Put('?');  // Nobody has told this terminal what that is.
  }
}

std::vector<std::string> Screen::Lines() const {
  std::vector<std::string> lines = rows_;
  for (std::string& line : lines) line.erase(line.find_last_not_of(' ') + 1);
  while (!lines.empty() && lines.back().empty()) lines.pop_back();
  return lines;
}

OnTerminal::OnTerminal(const std::vector<std::string>& argv, const std::vector<std::string>& env,
                       size_t width, size_t height) {
  std::vector<char*> args;
  for (const std::string& arg : argv) args.push_back(const_cast<char*>(arg.c_str()));
  args.push_back(nullptr);
  std::vector<char*> variables;
  for (const std::string& variable : env) variables.push_back(const_cast<char*>(variable.c_str()));
  variables.push_back(nullptr);
  winsize size{static_cast<uint16_t>(height), static_cast<uint16_t>(width), 0, 0};
  pid_ = forkpty(&fd_, nullptr, nullptr, &size);
  if (pid_ == 0) {
    execve(args[0], args.data(), variables.data());
    _exit(127);
  }
}

OnTerminal::~OnTerminal() {
  if (!ended_) {
    kill(pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
  }
  close(fd_);
}

void OnTerminal::Resize(size_t width, size_t height) {
  winsize size{static_cast<uint16_t>(height), static_cast<uint16_t>(width), 0, 0};
  ioctl(fd_, TIOCSWINSZ, &size);
}

void OnTerminal::Type(const std::string& bytes) {
  if (write(fd_, bytes.data(), bytes.size()) < 0) written_ += "(cannot type)";
}

// False at the end of the program's output and at the deadline.
bool OnTerminal::ReadSome(absl::Time deadline) {
  pollfd poll_fd{fd_, POLLIN, 0};
  const int64_t left = absl::ToInt64Milliseconds(deadline - absl::Now());
  if (left <= 0 || poll(&poll_fd, 1, static_cast<int>(left)) <= 0) return false;
  char buffer[4096];
  const ssize_t got = read(fd_, buffer, sizeof(buffer));
  if (got <= 0) return false;
  written_.append(buffer, static_cast<size_t>(got));
  return true;
}

bool OnTerminal::AwaitText(const std::string& text, absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (written_.find(text) == std::string::npos) {
    if (!ReadSome(deadline)) return false;
  }
  return true;
}

int OnTerminal::AwaitExit(absl::Duration patience) {
  const absl::Time deadline = absl::Now() + patience;
  while (ReadSome(deadline)) {
  }
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (absl::Now() > deadline) return -1;
    absl::SleepFor(absl::Milliseconds(5));
  }
  ended_ = true;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace manyarch::cli
