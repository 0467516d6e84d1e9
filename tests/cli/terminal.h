// A program on a terminal of its own, and what is to be seen there.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace manyarch::cli {

// What a terminal of this width shows of the bytes written to it: the few control sequences that
// manyarch uses, nothing else. It never scrolls; lines that are wider than it wrap.
class Screen {
 public:
  explicit Screen(size_t width) : width_(width) {}
  void Write(const std::string& bytes);
  // Without trailing spaces and without empty lines at the end.
  std::vector<std::string> Lines() const;
  int wraps() const { return wraps_; }
  bool cursor_is_hidden() const { return cursor_is_hidden_; }
  bool has_colors() const { return has_colors_; }

 private:
  void Control(const std::string& sequence);
  void Put(char c);

  const size_t width_;
  std::vector<std::string> rows_ = {""};
  size_t row_ = 0;
  size_t column_ = 0;
  std::string pending_;  // A control sequence of which the rest is to come.
  int wraps_ = 0;
  bool cursor_is_hidden_ = false;
  bool has_colors_ = false;
};

// Runs a program on a new pseudo terminal. Killed when this goes.
class OnTerminal {
 public:
  OnTerminal(const std::vector<std::string>& argv, const std::vector<std::string>& env,
             size_t width, size_t height);
  ~OnTerminal();
  OnTerminal(const OnTerminal&) = delete;
  OnTerminal& operator=(const OnTerminal&) = delete;

  void Resize(size_t width, size_t height);
  void Type(const std::string& bytes);
  // Reads until all that was written contains `text`; false at the deadline.
  bool AwaitText(const std::string& text, absl::Duration patience = absl::Seconds(30));
  // Reads to the end and returns the exit status; -1 at the deadline.
  int AwaitExit(absl::Duration patience = absl::Seconds(30));
  const std::string& written() const { return written_; }

 private:
  bool ReadSome(absl::Time deadline);

  int fd_ = -1;
  pid_t pid_ = -1;
  bool ended_ = false;
  std::string written_;
};

}  // namespace manyarch::cli
