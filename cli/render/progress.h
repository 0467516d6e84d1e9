// How a build that runs is shown: the interface, and the plain form.
#pragma once

#include <cstdio>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "cli/render/changes.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Where a line of output comes from.
struct LogSource {
  std::string attempt_id;
  std::string platform;  // "linux/arm64"
  std::string worker;
};

// Shows a job while it runs. Thread-safe: logs come from a thread for each attempt.
class Progress {
 public:
  virtual ~Progress() = default;
  virtual void OnJob(const v1::Job& job) = 0;
  // One whole line, without its newline.
  virtual void OnLogLine(const LogSource& source, absl::string_view line) = 0;
  // Something about this program itself: connection lost, cancelling, …
  virtual void OnNotice(absl::string_view text) = 0;
  // A notice that nobody misses who asked for quiet.
  virtual void OnInfo(absl::string_view text) { OnNotice(text); }
  // The job is over: nothing more is drawn, nor drawn over.
  virtual void Finish() {}
  // The program ends at once, on a thread of its own: whatever the terminal needs to be usable.
  virtual void Abandon() {}
};

// Every change and every line of output, in order, prefixed. For logs, CI and pipes.
class PlainProgress : public Progress {
 public:
  explicit PlainProgress(std::FILE* out) : out_(out) {}
  void OnJob(const v1::Job& job) override;
  void OnLogLine(const LogSource& source, absl::string_view line) override;
  void OnNotice(absl::string_view text) override;

 private:
  void Write(absl::string_view line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::FILE* const out_;
  absl::Mutex mutex_;
  JobTeller teller_ ABSL_GUARDED_BY(mutex_);
};

// Notices only.
class QuietProgress : public Progress {
 public:
  explicit QuietProgress(std::FILE* out) : out_(out) {}
  void OnJob(const v1::Job&) override {}
  void OnLogLine(const LogSource&, absl::string_view) override {}
  void OnNotice(absl::string_view text) override;
  void OnInfo(absl::string_view) override {}

 private:
  std::FILE* const out_;
};

}  // namespace manyarch::cli
