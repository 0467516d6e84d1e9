// tests/sim/run --seeds N --from S: as many runs as one likes; prints the trace of the first that
// fails.
#include <cstring>
#include <iostream>

#include "absl/strings/numbers.h"
#include "tests/sim/world.h"

int main(int argc, char** argv) {
  uint64_t seeds = 1000;
  uint64_t from = 1;
  for (int i = 1; i < argc; i += 2) {
    uint64_t* const value = std::strcmp(argv[i], "--seeds") == 0  ? &seeds
                            : std::strcmp(argv[i], "--from") == 0 ? &from
                                                                  : nullptr;
    if (value == nullptr || i + 1 == argc || !absl::SimpleAtoi(argv[i + 1], value)) {
      std::cerr << "usage: " << argv[0] << " [--seeds N] [--from S]\n";
      return 2;
    }
  }
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const manyarch::sim::RunResult result = manyarch::sim::World(seed).Run();
    if (result.violation.empty()) continue;
    for (const std::string& line : result.trace) std::cout << line << "\n";
    std::cout << "seed " << seed << ": " << result.violation << "\n";
    return 1;
  }
  std::cout << "seeds " << from << " to " << from + seeds - 1 << ": every promise held\n";
  return 0;
}
