// What it costs to make one tag of images that are pushed already: requests to a real
// docker-registry, and time, beside buildah's. Prints a table on stderr and JSON on stdout. See
// docs/performance.md.
//
//   bench_publish [ROUNDS]
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nlohmann/json.hpp>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "tests/bench/publish/rounds.h"

namespace manyarch::bench {
namespace {

struct Side {
  std::vector<double> milliseconds;
  std::vector<int> requests;
  int puts = 0;
  int layer_reads = 0;

  void Add(absl::Duration time, const Cost& cost) {
    milliseconds.push_back(absl::ToDoubleMilliseconds(time));
    requests.push_back(cost.requests);
    puts = cost.puts;
    layer_reads = cost.layer_reads;
  }
};

template <typename T>
T Median(std::vector<T> all) {
  std::sort(all.begin(), all.end());
  return all[all.size() / 2];
}

nlohmann::ordered_json Shown(const Side& side) {
  return {{"ms", Median(side.milliseconds)},
          {"requests", Median(side.requests)},
          {"manifest_puts", side.puts},
          {"layer_reads", side.layer_reads}};
}

absl::Status Run(int rounds) {
  MA_ASSIGN_OR_RETURN(const auto registry, CountedRegistry::Start());
  MA_ASSIGN_OR_RETURN(const TempDir storage, TempDir::Make());
  nlohmann::ordered_json out = nlohmann::ordered_json::array();
  std::fprintf(stderr, "%d rounds, medians\n%-7s %-30s %-44s %s\n", rounds, "images", "manyarch",
               "buildah manifest", "manyarch/buildah");
  for (const size_t count : {2, 4, 8}) {
    const std::vector<Pushed> images = MakeImages(count);
    Side ours;
    Side theirs;
    std::vector<double> starting;
    for (int round = 0; round < rounds; ++round) {
      // Each in a repository that has seen neither, and each first as often as the other.
      for (const bool our_turn : {round % 2 == 0, round % 2 != 0}) {
        const std::string repository =
            absl::StrCat("bench/", our_turn ? "ours" : "theirs", count, "-", round);
        MA_RETURN_IF_ERROR(registry->Push(repository, images));
        registry->Count(images);
        MA_ASSIGN_OR_RETURN(
            const absl::Duration time,
            our_turn
                ? PublishByController(registry->host(), repository, "1.0", images)
                : PublishByBuildah(registry->host(), repository, "1.0", images, storage.path()));
        (our_turn ? ours : theirs).Add(time, registry->Count(images));
        MA_RETURN_IF_ERROR(registry->Check(repository, "1.0", images));
        registry->Count(images);
      }
      MA_ASSIGN_OR_RETURN(const absl::Duration start, StartBuildah(count + 2));
      starting.push_back(absl::ToDoubleMilliseconds(start));
    }
    const double ratio = Median(ours.milliseconds) / Median(theirs.milliseconds);
    std::fprintf(
        stderr,
        "%-7zu %3d requests %7.1f ms       %3d requests %7.1f ms (start-up %5.1f ms)   %.3f\n",
        count, Median(ours.requests), Median(ours.milliseconds), Median(theirs.requests),
        Median(theirs.milliseconds), Median(starting), ratio);
    out.push_back({{"images", count},
                   {"manyarch", Shown(ours)},
                   {"buildah", Shown(theirs)},
                   {"buildah_start_up_ms", Median(starting)},
                   {"time_ratio", ratio}});
    if (ours.layer_reads != 0 || ours.puts != 2) {
      return absl::InternalError("a layer was read, or more was written than list and tag");
    }
  }
  std::cout << out.dump(2) << std::endl;
  return absl::OkStatus();
}

}  // namespace
}  // namespace manyarch::bench

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::atoi(argv[1]) : 11;
  if (rounds <= 0) {
    std::fprintf(stderr, "usage: %s [ROUNDS]\n", argv[0]);
    return 2;
  }
  const absl::Status status = manyarch::bench::Run(rounds);
  if (status.ok()) return 0;
  std::fprintf(stderr, "bench_publish: %s\n", std::string(status.message()).c_str());
  return 1;
}
