// Progress on a terminal: a few lines, drawn again and again in place.
#pragma once

#include <cstdio>
#include <map>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/render/progress.h"

namespace manyarch::cli {

// Draws from a thread of its own, which also lets the clocks run on; Finish() ends it and leaves
// the last picture standing.
class TtyProgress : public Progress {
 public:
  explicit TtyProgress(std::FILE* out);
  ~TtyProgress() override;
  void OnJob(const v1::Job& job) override;
  void OnLogLine(const LogSource& source, absl::string_view line) override;
  void OnNotice(absl::string_view text) override;
  void Finish() override;

 private:
  void Run();
  void Draw() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Erase() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::FILE* const out_;
  absl::Mutex mutex_;
  absl::CondVar changed_;
  v1::Job job_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::string> steps_ ABSL_GUARDED_BY(mutex_);  // By attempt id.
  size_t drawn_ ABSL_GUARDED_BY(mutex_) = 0;  // Lines on the screen that are ours.
  bool dirty_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace manyarch::cli
