// A bar chart as SVG.
#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "tests/bench/placement/result.h"

namespace manyarch::bench {

std::string Plot(const std::vector<std::string>& traces,
                 const std::vector<std::vector<std::pair<std::string, double>>>& ratios) {
  static const char* const kColours[] = {"#2c6fbb", "#c9a227", "#b5532a", "#7a7a7a"};
  constexpr double kMost = 3;  // Higher bars are cut off there.
  constexpr int kBar = 14;
  constexpr int kHeight = 260;
  const int group = 5 * kBar + 30;
  const int width = 60 + group * static_cast<int>(traces.size());
  std::string svg = absl::StrFormat(
      "<svg xmlns='http://www.w3.org/2000/svg' width='%d' height='%d' font-family='sans-serif' "
      "font-size='11'><rect width='100%%' height='100%%' fill='white'/>\n",
      width, kHeight + 140);
  const auto y = [&](double ratio) {
    return 30 + kHeight - kHeight * std::min(ratio, kMost) / kMost;
  };
  for (const double ratio : {1.0, 1.15, 1.25, 2.0, 3.0}) {
    absl::StrAppendFormat(&svg,
                          "<line x1='40' x2='%d' y1='%.1f' y2='%.1f' stroke='#ccc'/>"
                          "<text x='8' y='%.1f'>%.2f</text>\n",
                          width, y(ratio), y(ratio), y(ratio) + 4, ratio);
  }
  for (size_t t = 0; t < traces.size(); ++t) {
    const int left = 50 + group * static_cast<int>(t);
    for (size_t p = 0; p < ratios[t].size(); ++p) {
      const auto& [policy, ratio] = ratios[t][p];
      absl::StrAppendFormat(&svg,
                            "<rect x='%d' y='%.1f' width='%d' height='%.1f' fill='%s'><title>%s: "
                            "%.3f</title></rect>\n",
                            left + kBar * static_cast<int>(p), y(ratio), kBar - 2,
                            30 + kHeight - y(ratio), kColours[p % 4], policy, ratio);
    }
    absl::StrAppendFormat(&svg, "<text transform='translate(%d,%d) rotate(25)'>%s</text>\n", left,
                          kHeight + 46, traces[t]);
  }
  for (size_t p = 0; !ratios.empty() && p < ratios[0].size(); ++p) {
    absl::StrAppendFormat(
        &svg,
        "<rect x='%d' y='8' width='10' height='10' fill='%s'/><text x='%d' y='17'>%s</text>\n",
        60 + 110 * static_cast<int>(p), kColours[p % 4], 75 + 110 * static_cast<int>(p),
        ratios[0][p].first);
  }
  return svg + "<text x='500' y='17'>makespan / lower bound</text></svg>\n";
}

}  // namespace manyarch::bench
