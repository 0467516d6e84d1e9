#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "cli/render/progress.h"
#include "cli/render/words.h"

namespace manyarch::cli {

void PlainProgress::OnJob(const v1::Job& job) {
  absl::MutexLock lock(&mutex_);
  for (const std::string& line : teller_.Tell(job, absl::Now())) Write(line);
}

void PlainProgress::OnLogLine(const LogSource& source, absl::string_view line) {
  absl::MutexLock lock(&mutex_);
  Write(absl::StrCat("[", source.platform, " ", source.worker, "] ", SafeLine(line)));
}

void PlainProgress::OnNotice(absl::string_view text) {
  absl::MutexLock lock(&mutex_);
  Write(text);
}

void PlainProgress::Write(absl::string_view line) {
  std::fprintf(out_, "%.*s\n", static_cast<int>(line.size()), line.data());
  std::fflush(out_);
}

void QuietProgress::OnNotice(absl::string_view text) {
  std::fprintf(out_, "%.*s\n", static_cast<int>(text.size()), text.data());
  std::fflush(out_);
}

}  // namespace manyarch::cli
