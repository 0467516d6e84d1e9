// How the waiting work is best spread over the classes of workers, and how long each will be busy.
#pragma once

#include <cstddef>
#include <vector>

namespace manyarch::controller::core {

struct ClassLoad {
  double slots = 0;
  double busy = 0;  // Seconds that what runs there still needs, over all its slots.
};

struct LaneWork {
  struct Choice {
    size_t of = 0;       // Index of the class.
    double seconds = 0;  // That all of the lane's work would take there,
    double single = 0;   // and one build of it.
  };
  std::vector<Choice> choices;
};

struct Outlook {
  // Per class: seconds from now until it has done its part of all work; infinite without slots.
  std::vector<double> until_done;
  // Per lane and choice: the part of the lane's work that is best done there, 0 to 1.
  std::vector<std::vector<double>> part;
};

// Every lane's work is cut into slices, each of which goes where it would be done first; then all
// are moved in turn while that ends anything sooner. So work that several classes could do does
// not hold up work that only one can do, and a slow (emulated) way is taken only as far as the fast
// one is busier still. No slice ends before a whole build could, so nothing is left to a slow way
// that would end every one of its builds later. A pure function; its cost is lanes x choices.
Outlook Spread(const std::vector<ClassLoad>& classes, const std::vector<LaneWork>& lanes);

}  // namespace manyarch::controller::core
