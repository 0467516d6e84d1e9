#include "tests/bench/placement/cost.h"

#include <ctime>
#include <iostream>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "controller/core/farm.h"

namespace manyarch::bench {

namespace {

namespace core = controller::core;

constexpr int kRounds = 20'000;

// Of this thread: what else the machine does is left out.
double CpuSeconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

// A farm in which everything is busy: each round ends a build, which starts another one, and
// submits a job, so that as many wait as before.
class BusyFarm {
 public:
  BusyFarm(int queued, int workers)
      : farm_(
            core::FarmOptions{},
            [](const std::vector<core::ListEntry>&, core::ImageFormat) {
              return core::PublishIntent{};
            },
            core::FarmState{}, Now()) {
    core::Effects effects;
    farm_.Start(Now(), effects);
    for (int w = 0; w < workers; ++w) {
      core::WorkerHello hello;
      hello.session = static_cast<uint64_t>(w) + 1;
      hello.description.id = hello.description.name = absl::StrCat("w", w);
      const int kind = w % 4;  // Three of four are amd64 and emulate.
      hello.description.platforms = {{*ParsePlatform(kind == 0 ? "arm64" : "amd64"), false},
                                     {*ParsePlatform(kind == 0 ? "amd64" : "arm64"), true},
                                     {*ParsePlatform("s390x"), true}};
      Step(hello);
    }
    for (int j = 0; j < queued + workers; ++j) Submit();
  }

  // Seconds for each end of a build, which starts the next one.
  double Measure() {
    double seconds = 0;
    for (int round = 0; round < kRounds; ++round) {
      now_ += absl::Milliseconds(5);
      const core::SendOffer offer = running_[static_cast<size_t>(round)];
      const double before = CpuSeconds();
      Step(core::OfferAnswered{offer.session, offer.attempt_id, true, ""});
      Step(core::AttemptFinished{offer.session,
                                 {offer.attempt_id, core::Image{"r", "d", 1, ""}, 0}});
      Step(core::ImageChecked{offer.attempt_id, core::Image{"r", "d", 1, ""}, {}, {}});
      Step(core::PublishFinished{offer.job_id, {}, absl::OkStatus()});
      Submit();
      if (farm_.NextDeadline() <= Now().steady) Step(core::Tick{});
      seconds += CpuSeconds() - before;
      farm_.Forget(offer.job_id);
    }
    return seconds / kRounds;
  }

 private:
  core::Now Now() const { return {now_, now_}; }
  void Step(const core::Event& event) {
    core::Effects effects;
    farm_.Step(event, Now(), effects);
    for (const core::Effect& effect : effects.out) {
      if (const auto* offer = std::get_if<core::SendOffer>(&effect)) running_.push_back(*offer);
    }
  }
  void Submit() {
    static const char* const kPlatforms[] = {"amd64", "amd64", "arm64", "s390x"};
    auto spec = std::make_shared<core::JobSpec>();
    spec->project = absl::StrCat("p", submitted_ % 20);
    spec->tags = {{absl::StrCat("reg/r", submitted_ % 200), absl::StrCat("j", submitted_)}};
    spec->platforms = {{*ParsePlatform(kPlatforms[submitted_ % 4]), false}};
    spec->arch_tag_template.clear();
    spec->emulation = submitted_ % 3 == 0 ? core::Emulation::kAllow : core::Emulation::kFallback;
    core::Submit event;
    event.job_id = absl::StrCat("j", submitted_);
    event.idempotency_key = event.job_id;
    event.spec = std::move(spec);
    ++submitted_;
    Step(event);
  }

  absl::Time now_ = absl::UnixEpoch() + absl::Hours(1000);
  core::Farm farm_;
  std::vector<core::SendOffer> running_;
  int submitted_ = 0;
};

}  // namespace

std::string DecisionCosts() {
  std::string json;
  std::cerr
      << "\nwhole rounds (submit, offer, accept, finish, check, publish) in the core alone:\n";
  double base = 0;
  for (const int workers : {100, 5'000}) {
    for (const int queued : {1'000, 100'000}) {
      const double seconds = BusyFarm(queued, workers).Measure();
      if (base == 0) base = seconds;
      std::cerr << absl::StreamFormat(
          "  %6d queued, %5d workers: %6.1f us, rate %.2f of the first\n", queued, workers,
          seconds * 1e6, base / seconds);
      absl::StrAppendFormat(&json, "%s{\"queued\":%d,\"workers\":%d,\"us\":%.2f,\"rate\":%.3f}",
                            json.empty() ? "" : ",", queued, workers, seconds * 1e6,
                            base / seconds);
    }
  }
  return json;
}

}  // namespace manyarch::bench
