// Runs as many seeds as one likes, or shows one. See tests/sim/run.
#include <cstring>
#include <iostream>

#include "absl/strings/numbers.h"
#include "tests/sim/world.h"

int main(int argc, char** argv) {
  uint64_t seeds = 1000;
  uint64_t from = 1;
  bool trace = false;
  for (int i = 1; i < argc; ++i) {
    uint64_t* const value = std::strcmp(argv[i], "--seeds") == 0  ? &seeds
                            : std::strcmp(argv[i], "--from") == 0 ? &from
                                                                  : nullptr;
    if (std::strcmp(argv[i], "--trace") == 0) {
      trace = true;
    } else if (value == nullptr || ++i == argc || !absl::SimpleAtoi(argv[i], value)) {
      std::cerr << "usage: tests/sim/run [--seeds N] [--from S] [--trace]\n";
      return 2;
    }
  }
  for (uint64_t seed = from; seed < from + seeds; ++seed) {
    const manyarch::sim::RunResult result = manyarch::sim::World(seed).Run();
    if (trace || !result.violation.empty()) {
      for (const std::string& line : result.trace) std::cout << line << "\n";
    }
    if (result.violation.empty()) continue;
    std::cout << "seed " << seed << ": " << result.violation
              << "\nto see it again: tests/sim/run --from " << seed << " --seeds 1 --trace\n";
    return 1;
  }
  std::cout << "seeds " << from << " to " << from + seeds - 1 << ": every promise held\n";
  return 0;
}
