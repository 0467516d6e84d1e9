// The end of an attempt's output, kept while it streams by. Pure.
#pragma once

#include <deque>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace manyarch::worker {

// At most kMaxLines lines and kMaxBytes bytes are kept. Not thread-safe.
class OutputTail {
 public:
  static constexpr size_t kMaxLines = 40;
  static constexpr size_t kMaxBytes = 8192;
  static constexpr size_t kMaxImages = 1000;

  void Add(absl::string_view bytes);

  // The last lines, as valid UTF-8; of a line that was drawn over with carriage returns, what was
  // seen last.
  std::vector<std::string> LastLines() const;
  // The same lines as one text.
  std::string Text() const;
  // The last line like "STEP 2/3: RUN make" or "[1/2] STEP 2/3: RUN make"; empty where there was
  // none.
  const std::string& last_step() const { return last_step_; }
  // Ids of the images of steps that buildah said it did not have to run; at most kMaxImages.
  const std::set<std::string>& cached_images() const { return cached_images_; }

 private:
  void EndLine();

  std::deque<std::string> lines_;
  std::string current_;  // The beginning of the unfinished line.
  size_t bytes_ = 0;     // Of lines_.
  std::string last_step_;
  std::set<std::string> cached_images_;
};

}  // namespace manyarch::worker
