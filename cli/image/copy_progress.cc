#include "cli/image/copy_progress.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "cli/image/inspect.h"

namespace manyarch::cli::image {

CopyProgress::CopyProgress(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) != 0) {}

void CopyProgress::Show(absl::string_view what, int64_t bytes, int64_t size) {
  const int percent = size > 0 ? static_cast<int>(bytes * 100 / size) : 100;
  const bool is_new = what != what_;
  if (!is_new && (!terminal_ || percent == percent_)) return;
  std::string line = absl::StrCat("copying ", what, ", ", SizeText(size));
  what_ = std::string(what);
  percent_ = percent;
  if (!terminal_) {
    std::fprintf(out_, "%s\n", line.c_str());
    return;
  }
  absl::StrAppend(&line, ": ", percent, "%");
  const size_t width = line.size();
  line.append(drawn_ > width ? drawn_ - width : 0, ' ');
  drawn_ = width;
  std::fprintf(out_, "\r%s", line.c_str());
  std::fflush(out_);
}

void CopyProgress::Finish() {
  if (drawn_ > 0) std::fputs("\n", out_);
  drawn_ = 0;
}

}  // namespace manyarch::cli::image
