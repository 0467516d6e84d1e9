#include "cli/render/tty.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/render/words.h"

namespace manyarch::cli {

namespace {

constexpr absl::Duration kFrame = absl::Milliseconds(100);   // At most one picture in this time.
constexpr absl::Duration kLook = absl::Milliseconds(200);    // How soon a resize is noticed.
constexpr absl::Duration kClock = absl::Milliseconds(1000);  // At least one picture in this.

constexpr char kHideCursor[] = "\x1b[?25l";
constexpr char kShowCursor[] = "\x1b[?25h";

ScreenSize SizeOf(std::FILE* out) {
  winsize size{};
  if (ioctl(fileno(out), TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0) {
    return {};
  }
  return {size.ws_col, size.ws_row};
}

absl::string_view CodeOf(Style style) {
  switch (style) {
    case Style::kHeading:
      return "\x1b[1m";
    case Style::kGood:
      return "\x1b[32m";
    case Style::kBad:
      return "\x1b[31m";
    case Style::kFaint:
      return "\x1b[2m";
    case Style::kNormal:
      break;
  }
  return "";
}

}  // namespace

TtyProgress::TtyProgress(std::FILE* out, bool colors)
    : out_(out), colors_(colors), thread_([this] { Run(); }) {}

TtyProgress::~TtyProgress() { Finish(); }

void TtyProgress::OnJob(const v1::Job& job) {
  absl::MutexLock lock(&mutex_);
  // What the lanes have no room for stays above them.
  for (int i = 0; i < job.builds_size(); ++i) {
    const int known = i < job_.builds_size() ? job_.builds(i).warnings_size() : 0;
    for (int w = known; w < job.builds(i).warnings_size(); ++w) {
      PrintAbove(absl::StrCat(PlatformText(job.builds(i).platform()),
                              ": warning: ", SafeLine(job.builds(i).warnings(w))));
    }
  }
  job_ = job;
  dirty_ = true;
  changed_.Signal();
}

void TtyProgress::OnLogLine(const LogSource& source, absl::string_view line) {
  absl::MutexLock lock(&mutex_);
  activities_[source.attempt_id].Add(line);
  dirty_ = true;
  changed_.Signal();
}

void TtyProgress::OnNotice(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  PrintAbove(text);
  Draw();
}

void TtyProgress::Finish() {
  {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    finished_ = true;
    Draw();
    std::fputs(kShowCursor, out_);
    std::fflush(out_);
    changed_.Signal();
  }
  thread_.join();
}

void TtyProgress::Abandon() {
  // Without the lock and the buffer: whoever holds them may be stuck.
  const ssize_t ignored = ::write(fileno(out_), kShowCursor, sizeof(kShowCursor) - 1);
  static_cast<void>(ignored);
}

void TtyProgress::Run() {
  absl::MutexLock lock(&mutex_);
  absl::Time last = absl::Now();
  while (!finished_) {
    if (!dirty_) changed_.WaitWithTimeout(&mutex_, kLook);
    if (finished_) return;
    if (!dirty_ && absl::Now() < last + kClock && SizeOf(out_).width == drawn_width_) continue;
    Draw();
    last = absl::Now();
    // Whatever comes in this time is in the next picture.
    const auto finished = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return finished_; };
    mutex_.AwaitWithTimeout(absl::Condition(&finished), kFrame);
  }
}

// To the first of our lines and clears from there. A window that became narrower has broken them
// into more rows than were drawn.
std::string TtyProgress::BackToTop(size_t width) const {
  if (drawn_.empty()) return "";
  size_t rows = drawn_.size();
  if (width < drawn_width_) {
    rows = 0;
    for (const size_t line : drawn_) rows += std::max<size_t>(1, (line + width - 1) / width);
  }
  return absl::StrCat("\r\x1b[", rows, "A\x1b[J");
}

void TtyProgress::PrintAbove(absl::string_view line) {
  const std::string text = absl::StrCat(BackToTop(SizeOf(out_).width), line, "\n");
  drawn_.clear();
  std::fwrite(text.data(), 1, text.size(), out_);
  std::fflush(out_);
}

void TtyProgress::Draw() {
  dirty_ = false;
  const ScreenSize size = SizeOf(out_);
  std::string frame = absl::StrCat(kHideCursor, BackToTop(size.width));
  drawn_.clear();
  drawn_width_ = size.width;
  if (job_.id().empty()) return;
  static const std::map<std::string, Activity> kNothing;
  for (const ScreenLine& line :
       Lanes(job_, finished_ ? kNothing : activities_, absl::Now(), size)) {
    const absl::string_view code = colors_ ? CodeOf(line.style) : "";
    absl::StrAppend(&frame, code, line.text, code.empty() ? "" : "\x1b[0m", "\n");
    drawn_.push_back(line.text.size());
  }
  std::fwrite(frame.data(), 1, frame.size(), out_);
  std::fflush(out_);
}

}  // namespace manyarch::cli
