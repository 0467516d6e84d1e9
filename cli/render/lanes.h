// The picture of a running job: one line a platform, and under it what was printed last there.
#pragma once

#include <cstddef>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

enum class Style { kNormal, kHeading, kGood, kBad, kFaint };

struct ScreenLine {
  std::string text;
  Style style = Style::kNormal;
};

struct ScreenSize {
  size_t width = 80;
  size_t height = 24;
};

// What an attempt has printed.
struct Activity {
  static constexpr size_t kKept = 6;
  // One line of output; steps are told apart from the rest.
  void Add(absl::string_view line);

  std::string step;              // The one it was last seen in.
  std::deque<std::string> tail;  // Its last lines.
};

// A heading, one line for each build and, as far as there is room, the last lines of those that
// run. None is wider than the screen, and all together leave its last line free. `activities` are
// by attempt id.
std::vector<ScreenLine> Lanes(const v1::Job& job, const std::map<std::string, Activity>& activities,
                              absl::Time now, ScreenSize size);

// The step in a line of buildah's output ("STEP 2/5: RUN make"); empty where it tells none.
std::string StepIn(absl::string_view line);

}  // namespace manyarch::cli
