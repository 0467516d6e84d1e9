// How well builds are placed: ours against what others do, on seeded traces, on a virtual clock.
//
//   bench_placement [--seeds N] [--big] [--cost] [--json FILE] [--svg FILE]
#include <algorithm>
#include <cstring>
#include <fstream>
#include <iostream>
#include <map>

#include "absl/strings/numbers.h"
#include "absl/strings/str_format.h"
#include "tests/bench/placement/cost.h"
#include "tests/bench/placement/result.h"

namespace manyarch::bench {
namespace {

struct Report {
  std::vector<std::string> traces;
  std::vector<std::vector<std::pair<std::string, double>>> ratios;
  std::map<std::string, std::vector<double>> by_policy;
  double worst_to_best = 0;
  std::string json;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void Compare(const Trace& trace, uint64_t seed, Report& report) {
  std::vector<Result> results = {RunFarm(trace)};
  for (const Rival rival : {Rival::kFirstNative, Rival::kLeastLoaded, Rival::kFifo}) {
    results.push_back(RunRival(trace, rival));
  }
  const double bound = LowerBound(trace);
  double best = results[0].makespan;
  for (const Result& one : results) best = std::min(best, one.makespan);
  report.worst_to_best = std::max(report.worst_to_best, results[0].makespan / best);
  std::cout << absl::StreamFormat("\n%s (seed %d): %d builds, %d workers, lower bound %.0f s\n",
                                  trace.name, seed, trace.builds.size(), trace.workers.size(),
                                  bound);
  report.traces.push_back(trace.name);
  std::vector<std::pair<std::string, double>>& ratios = report.ratios.emplace_back();
  for (const Result& one : results) {
    const double ratio = one.makespan / bound;
    ratios.emplace_back(one.policy, ratio);
    report.by_policy[one.policy].push_back(ratio);
    std::cout << absl::StreamFormat(
        "  %-13s makespan %8.0f s  x bound %6.3f  wait mean %6.0f p95 %6.0f s  Jain %.3f  "
        "emulated %5d%s\n",
        one.policy, one.makespan, ratio, one.mean_wait, one.p95_wait, one.fairness, one.emulated,
        one.decide_us > 0 ? absl::StrFormat("  %.1f us a build", one.decide_us) : "");
    absl::StrAppendFormat(
        &report.json,
        "%s{\"trace\":\"%s\",\"seed\":%d,\"policy\":\"%s\",\"makespan\":%.1f,\"bound\":%.1f,"
        "\"ratio\":%.4f,\"mean_wait\":%.1f,\"p95_wait\":%.1f,\"jain\":%.4f,\"emulated\":%d}",
        report.json.empty() ? "" : ",\n", trace.name, seed, one.policy, one.makespan, bound, ratio,
        one.mean_wait, one.p95_wait, one.fairness, one.emulated);
  }
}

int Main(int argc, char** argv) {
  int seeds = 3;
  bool big = false;
  bool cost = false;
  std::string json;
  std::string svg;
  for (int i = 1; i < argc; ++i) {
    const std::string flag = argv[i];
    const std::string value = i + 1 < argc ? argv[i + 1] : "";
    if (flag == "--big") {
      big = true;
    } else if (flag == "--cost") {
      cost = true;
    } else if (flag == "--seeds" && absl::SimpleAtoi(value, &seeds)) {
      ++i;
    } else if (flag == "--json" && !value.empty()) {
      json = argv[++i];
    } else if (flag == "--svg" && !value.empty()) {
      svg = argv[++i];
    } else {
      std::cerr << "usage: bench_placement [--seeds N] [--big] [--cost] [--json FILE] "
                   "[--svg FILE]\n";
      return 2;
    }
  }
  Report report;
  std::vector<std::vector<std::pair<std::string, double>>> drawn;
  for (int seed = 1; seed <= seeds; ++seed) {
    for (const Trace& trace : MixedTraces(static_cast<uint64_t>(seed) * 100)) {
      Compare(trace, static_cast<uint64_t>(seed), report);
    }
  }
  if (big) Compare(BigTrace(1), 1, report);
  std::cout << "\nmedian of makespan / lower bound over all traces:";
  for (const auto& [policy, ratios] : report.by_policy) {
    std::cout << absl::StreamFormat("  %s %.3f", policy, Median(ratios));
  }
  std::cout << absl::StreamFormat("\nours against the best policy of each trace, worst: %.3f\n",
                                  report.worst_to_best);
  std::string costs;
  if (cost) costs = DecisionCosts();
  if (!json.empty()) {
    std::ofstream(json) << "{\"runs\":[\n"
                        << report.json << "],\n\"decision_costs\":[" << costs << "]}\n";
  }
  if (!svg.empty()) {
    const size_t once = seeds > 0 ? report.traces.size() - (big ? 1 : 0) : 1;
    const size_t shown = seeds > 0 ? once / static_cast<size_t>(seeds) : 1;
    report.traces.resize(shown);
    report.ratios.resize(shown);
    std::ofstream(svg) << Plot(report.traces, report.ratios);
  }
  return 0;
}

}  // namespace
}  // namespace manyarch::bench

int main(int argc, char** argv) { return manyarch::bench::Main(argc, argv); }
