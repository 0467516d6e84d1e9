// Progress on a terminal: a few lines, drawn again and again in place.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/render/lanes.h"
#include "cli/render/progress.h"

namespace manyarch::cli {

// Draws from a thread of its own, which also lets the clocks run on and looks whether the window
// was resized. The cursor is hidden meanwhile; Finish() leaves the last picture standing and shows
// it again.
class TtyProgress : public Progress {
 public:
  TtyProgress(std::FILE* out, bool colors);
  ~TtyProgress() override;
  void OnJob(const v1::Job& job) override;
  void OnLogLine(const LogSource& source, absl::string_view line) override;
  void OnNotice(absl::string_view text) override;
  void Finish() override;
  void Abandon() override;

 private:
  void Run();
  void Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PrintAbove(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string BackToTop(size_t width) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::FILE* const out_;
  const bool colors_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  v1::Job job_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Activity> activities_ ABSL_GUARDED_BY(mutex_);  // By attempt id.
  std::vector<size_t> drawn_ ABSL_GUARDED_BY(mutex_);  // Widths of our lines on the screen.
  size_t drawn_width_ ABSL_GUARDED_BY(mutex_) = 0;     // Of the window, when they were drawn.
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace manyarch::cli
