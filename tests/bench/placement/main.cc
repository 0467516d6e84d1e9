// How well builds are placed: ours against what others do, on seeded traces, on a virtual clock.
//
//   bench_placement [--seeds N] [--from SEED] [--max-overtake SECONDS] [--big] [--cost]
//                   [--svg FILE]
//
// A table on stderr, JSON on stdout.
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
  int runs = 0;
  int near_best = 0;  // Within 2 % of the best policy of that run.
  std::string json;
};

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

void Compare(const Trace& trace, uint64_t seed, double max_overtake, Report& report) {
  std::vector<Result> results = {RunFarm(trace, nullptr, max_overtake)};
  for (const Rival rival : {Rival::kFirstNative, Rival::kLeastLoaded, Rival::kFifo}) {
    results.push_back(RunRival(trace, rival));
  }
  const double bound = LowerBound(trace);
  double best = results[0].makespan;
  for (const Result& one : results) best = std::min(best, one.makespan);
  report.worst_to_best = std::max(report.worst_to_best, results[0].makespan / best);
  ++report.runs;
  if (results[0].makespan <= 1.02 * best) ++report.near_best;
  std::cerr << absl::StreamFormat("\n%s (seed %d): %d builds, %d workers, lower bound %.0f s\n",
                                  trace.name, seed, trace.builds.size(), trace.workers.size(),
                                  bound);
  report.traces.push_back(trace.name);
  std::vector<std::pair<std::string, double>>& ratios = report.ratios.emplace_back();
  for (const Result& one : results) {
    const double ratio = one.makespan / bound;
    ratios.emplace_back(one.policy, ratio);
    report.by_policy[one.policy].push_back(ratio);
    std::cerr << absl::StreamFormat(
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

// Every trace once, with the mean over its seeds.
std::string PlotMeans(const Report& report) {
  using Ratios = std::vector<std::pair<std::string, double>>;
  std::vector<std::string> names;
  std::map<std::string, std::vector<Ratios>> by_name;
  for (size_t t = 0; t < report.traces.size(); ++t) {
    std::vector<Ratios>& seeds = by_name[report.traces[t]];
    if (seeds.empty()) names.push_back(report.traces[t]);
    seeds.push_back(report.ratios[t]);
  }
  std::vector<Ratios> means;
  for (const std::string& name : names) {
    Ratios& mean = means.emplace_back(by_name[name].front());
    for (size_t p = 0; p < mean.size(); ++p) {
      mean[p].second = 0;
      for (const Ratios& one : by_name[name]) {
        mean[p].second += one[p].second / static_cast<double>(by_name[name].size());
      }
    }
  }
  return Plot(names, means);
}

int Main(int argc, char** argv) {
  int seeds = 3;
  int from = 1;
  double max_overtake = kMaxOvertake;
  bool big = false;
  bool cost = false;
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
    } else if (flag == "--from" && absl::SimpleAtoi(value, &from)) {
      ++i;
    } else if (flag == "--max-overtake" && absl::SimpleAtod(value, &max_overtake)) {
      ++i;
    } else if (flag == "--svg" && !value.empty()) {
      svg = argv[++i];
    } else {
      std::cerr
          << "usage: bench_placement [--seeds N] [--from SEED] [--max-overtake SECONDS] [--big] "
             "[--cost] [--svg FILE]\n";
      return 2;
    }
  }
  Report report;
  for (int seed = from; seed < from + seeds; ++seed) {
    for (const Trace& trace : MixedTraces(static_cast<uint64_t>(seed) * 100)) {
      Compare(trace, static_cast<uint64_t>(seed), max_overtake, report);
    }
  }
  if (big) Compare(BigTrace(1), 1, max_overtake, report);
  std::cerr << "\nmedian of makespan / lower bound over all traces:";
  for (const auto& [policy, ratios] : report.by_policy) {
    std::cerr << absl::StreamFormat("  %s %.3f", policy, Median(ratios));
  }
  std::cerr << absl::StreamFormat(
      "\nours is within 2 %% of the best policy in %d of %d runs, worst: %.3f\n", report.near_best,
      report.runs, report.worst_to_best);
  std::string costs;
  if (cost) costs = DecisionCosts();
  std::cout << "{\"runs\":[\n" << report.json << "],\n\"decision_costs\":[" << costs << "]}\n";
  if (!svg.empty()) std::ofstream(svg) << PlotMeans(report);
  return 0;
}

}  // namespace
}  // namespace manyarch::bench

int main(int argc, char** argv) { return manyarch::bench::Main(argc, argv); }
