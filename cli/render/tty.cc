#include "cli/render/tty.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/render/changes.h"
#include "cli/render/lanes.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

constexpr absl::Duration kFrame = absl::Milliseconds(100);   // At most one picture in this time.
constexpr absl::Duration kClock = absl::Milliseconds(1000);  // At least one in this.

struct Size {
  size_t width = 80;
  size_t height = 24;
};

Size TerminalSize(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

}  // namespace

TtyProgress::TtyProgress(std::FILE* out) : out_(out), thread_([this] { Run(); }) {}

TtyProgress::~TtyProgress() { Finish(); }

void TtyProgress::OnJob(const v1::Job& job) {
  absl::MutexLock lock(&mutex_);
  // What the lanes have no room for stays above them.
  for (int i = 0; i < job.builds_size(); ++i) {
    const int known = i < job_.builds_size() ? job_.builds(i).warnings_size() : 0;
    for (int w = known; w < job.builds(i).warnings_size(); ++w) {
      Erase();
      std::fprintf(out_, "%s: warning: %s\n", PlatformText(job.builds(i).platform()).c_str(),
                   SafeLine(job.builds(i).warnings(w)).c_str());
    }
  }
  job_ = job;
  dirty_ = true;
  changed_.Signal();
}

void TtyProgress::OnLogLine(const LogSource& source, absl::string_view line) {
  const std::string step = StepIn(line);
  if (step.empty()) return;
  absl::MutexLock lock(&mutex_);
  steps_[source.attempt_id] = step;
  dirty_ = true;
  changed_.Signal();
}

void TtyProgress::OnNotice(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  Erase();
  std::fprintf(out_, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(out_);
  Draw();
}

void TtyProgress::Finish() {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    Draw();
    changed_.Signal();
  }
  thread_.join();
}

void TtyProgress::Run() {
  absl::MutexLock lock(&mutex_);
  while (!finished_) {
    if (dirty_) {
      Draw();
      changed_.WaitWithTimeout(&mutex_, kFrame);
    } else if (changed_.WaitWithTimeout(&mutex_, kClock)) {
      dirty_ = true;
    }
  }
}

void TtyProgress::Draw() {
  dirty_ = false;
  if (job_.id().empty()) return;
  const Size size = TerminalSize(out_);
  std::vector<std::string> lines = Lanes(job_, steps_, absl::Now(), size.width - 1);
  // What has scrolled out of the window could not be drawn over.
  lines.resize(std::min(lines.size(), std::max<size_t>(1, size.height - 1)));
  std::string frame;
  if (drawn_ > 0) absl::StrAppend(&frame, "\x1b[", drawn_, "A");
  for (const std::string& line : lines) absl::StrAppend(&frame, "\x1b[2K", line, "\n");
  absl::StrAppend(&frame, "\x1b[J");
  drawn_ = lines.size();
  std::fwrite(frame.data(), 1, frame.size(), out_);
  std::fflush(out_);
}

void TtyProgress::Erase() {
  if (drawn_ == 0) return;
  std::fprintf(out_, "\x1b[%zuA\x1b[J", drawn_);
  drawn_ = 0;
}

}  // namespace manyarch::cli
