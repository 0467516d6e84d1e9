// How far the copying of blobs is, for people.
#pragma once

#include <cstdint>
#include <cstdio>
#include <string>

#include "absl/strings/string_view.h"

namespace manyarch::cli::image {

// On a terminal one line that is drawn again and again; elsewhere one line when a blob begins. Not
// thread-safe.
class CopyProgress {
 public:
  explicit CopyProgress(std::FILE* out);

  // `bytes` of `size` bytes of `what` are there.
  void Show(absl::string_view what, int64_t bytes, int64_t size);
  // Nothing is drawn over what comes next.
  void Finish();

 private:
  std::FILE* const out_;
  const bool terminal_;
  std::string what_;
  int percent_ = -1;
  size_t drawn_ = 0;
};

}  // namespace manyarch::cli::image
