// Progress for programs: one JSON object a line.
#pragma once

#include <cstdio>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "cli/render/progress.h"

namespace manyarch::cli {

// Every object has "time" (RFC 3339) and "type": job, build, attempt, log, warning or notice. The
// fields of each are described in docs/cli.md; newer versions may add some.
class RawJsonProgress : public Progress {
 public:
  explicit RawJsonProgress(std::FILE* out) : out_(out) {}
  void OnJob(const v1::Job& job) override;
  void OnLogLine(const LogSource& source, absl::string_view line) override;
  void OnNotice(absl::string_view text) override;

 private:
  std::FILE* const out_;
  absl::Mutex mutex_;
  std::unique_ptr<v1::Job> last_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::cli
