// How fast logs come through: worker, controller (which keeps them on a disk), follower, against
// one bare gRPC stream of the same bytes. In turns, medians. Prints a table on stderr and JSON on
// stdout.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <vector>

#include "tests/bench/log_stream/sides.h"

namespace manyarch::bench {
namespace {

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

int Main(int argc, char** argv) {
  std::string dir = "/var/tmp/manyarch-bench-log";
  int mebibytes = 256;
  int rounds = 5;
  CLI::App app("How fast logs come through manyarch, beside a bare gRPC stream.");
  app.add_option("--dir", dir, "where the controller's state goes: a real disk; emptied")
      ->capture_default_str();
  app.add_option("--mib", mebibytes, "of one log")->capture_default_str();
  app.add_option("--rounds", rounds)->capture_default_str();
  CLI11_PARSE(app, argc, argv);

  std::vector<double> bare;
  std::vector<double> farm;
  for (int round = 0; round <= rounds; ++round) {
    const int64_t bytes = int64_t{mebibytes} << 20;
    const auto bare_time = TimeBareStream(bytes);
    const auto farm_time = TimeFarm(bytes, dir);
    for (const auto* time : {&bare_time, &farm_time}) {
      if (time->ok()) continue;
      std::fprintf(stderr, "error: %s\n", std::string(time->status().message()).c_str());
      return 1;
    }
    if (round == 0) continue;  // Warms up.
    bare.push_back(mebibytes / absl::ToDoubleSeconds(*bare_time));
    farm.push_back(mebibytes / absl::ToDoubleSeconds(*farm_time));
    std::fprintf(stderr, "round %d: bare %.0f MiB/s, farm %.0f MiB/s\n", round, bare.back(),
                 farm.back());
  }
  const double ratio = Median(farm) / Median(bare);
  std::fprintf(stderr, "%-44s %10.0f MiB/s\n", "one bare gRPC stream", Median(bare));
  std::fprintf(stderr, "%-44s %10.0f MiB/s   (%.2f of the bare stream; at least 0.50)\n",
               "worker, controller, follower", Median(farm), ratio);
  const nlohmann::ordered_json json = {{"mib", mebibytes},
                                       {"rounds", rounds},
                                       {"bare_mib_per_second", Median(bare)},
                                       {"farm_mib_per_second", Median(farm)},
                                       {"ratio", ratio}};
  std::printf("%s\n", json.dump(2).c_str());
  return 0;
}

}  // namespace
}  // namespace manyarch::bench

int main(int argc, char** argv) { return manyarch::bench::Main(argc, argv); }
