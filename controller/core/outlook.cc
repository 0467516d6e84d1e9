#include "controller/core/outlook.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace manyarch::controller::core {

namespace {

constexpr int kSlices = 20;  // Of each lane's work.
constexpr int kRounds = 4;

}  // namespace

Outlook Spread(const std::vector<ClassLoad>& classes, const std::vector<LaneWork>& lanes) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  Outlook outlook;
  for (const ClassLoad& one : classes) {
    outlook.until_done.push_back(one.slots > 0 ? one.busy / one.slots : kNever);
  }
  const auto slice = [&](const LaneWork::Choice& choice) {
    const double slots = classes[choice.of].slots;
    return slots > 0 ? choice.seconds / (kSlices * slots) : kNever;
  };
  std::vector<std::vector<int>> slices;
  for (const LaneWork& lane : lanes) slices.emplace_back(lane.choices.size(), 0);

  // Those with the fewest choices first: the others can give way to them.
  std::vector<size_t> order(lanes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) {
    return lanes[a].choices.size() < lanes[b].choices.size();
  });
  for (int round = 0; round <= kRounds; ++round) {
    for (const size_t l : order) {
      const std::vector<LaneWork::Choice>& choices = lanes[l].choices;
      std::vector<int>& mine = slices[l];
      for (size_t c = 0; c < choices.size(); ++c) {
        if (mine[c] == 0) continue;
        outlook.until_done[choices[c].of] -= mine[c] * slice(choices[c]);
        mine[c] = 0;
      }
      for (int s = 0; s < kSlices; ++s) {
        size_t best = choices.size();
        double soonest = kNever;
        for (size_t c = 0; c < choices.size(); ++c) {
          // A slice is part of a build, which has to be done there from its start to its end.
          const double until = outlook.until_done[choices[c].of] + slice(choices[c]);
          const double done = std::max(until, choices[c].single);
          if (done >= soonest) continue;
          best = c;
          soonest = done;
        }
        if (best == choices.size()) break;
        outlook.until_done[choices[best].of] += slice(choices[best]);
        ++mine[best];
      }
    }
  }
  for (const std::vector<int>& mine : slices) {
    std::vector<double>& part = outlook.part.emplace_back();
    for (const int count : mine) part.push_back(static_cast<double>(count) / kSlices);
  }
  return outlook;
}

}  // namespace manyarch::controller::core
