#include "tests/bench/placement/cost.h"

#include <ctime>
#include <functional>
#include <iostream>
#include <memory>
#include <utility>
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
  BusyFarm(int queued, int workers) : BusyFarm(core::FarmState{}) {
    for (int w = 0; w < workers; ++w) Join(w, static_cast<uint64_t>(w) + 1);
    for (int j = 0; j < queued + workers; ++j) Submit();
  }

  // Seconds for each end of a build, which starts the next one.
  double Measure() {
    double seconds = 0;
    for (int round = 0; round < kRounds; ++round) {
      const core::SendOffer offer = running_[static_cast<size_t>(round)];
      seconds += Timed([&] {
        End(offer);
        Submit();
      });
      farm_.Forget(offer.job_id);
    }
    return seconds / kRounds;
  }

 protected:
  explicit BusyFarm(core::FarmState state)
      : farm_(
            core::FarmOptions{},
            [](const std::vector<core::ListEntry>&, core::ImageFormat) {
              return core::PublishIntent{};
            },
            std::move(state), Now()) {
    core::Effects effects;
    farm_.Start(Now(), effects);
  }

  core::Now Now() const { return {now_, now_}; }
  void Join(int worker, uint64_t session) {
    core::WorkerHello hello;
    hello.session = session;
    hello.description.id = hello.description.name = absl::StrCat("w", worker);
    const int kind = worker % 4;  // Three of four are amd64 and emulate.
    hello.description.platforms = {{*ParsePlatform(kind == 0 ? "arm64" : "amd64"), false},
                                   {*ParsePlatform(kind == 0 ? "amd64" : "arm64"), true},
                                   {*ParsePlatform("s390x"), true}};
    Step(hello);
  }
  // The build of the offer, and its job.
  void End(const core::SendOffer& offer) {
    Step(core::OfferAnswered{offer.session, offer.attempt_id, true, ""});
    Step(core::AttemptFinished{offer.session, {offer.attempt_id, core::Image{"r", "d", 1, ""}, 0}});
    Step(core::ImageChecked{offer.attempt_id, core::Image{"r", "d", 1, ""}, {}, {}});
    Step(core::PublishFinished{offer.job_id, {}, absl::OkStatus()});
  }
  double Timed(const std::function<void()>& round) {
    now_ += absl::Milliseconds(5);
    const double before = CpuSeconds();
    round();
    if (farm_.NextDeadline() <= Now().steady) Step(core::Tick{});
    return CpuSeconds() - before;
  }
  void Step(const core::Event& event) {
    core::Effects effects;
    farm_.Step(event, Now(), effects);
    for (const core::Effect& effect : effects.out) {
      if (const auto* offer = std::get_if<core::SendOffer>(&effect)) running_.push_back(*offer);
    }
  }
  void Submit() { Submit(absl::StrCat("reg/r", submitted_ % 200)); }
  void Submit(const std::string& repository) {
    static const char* const kPlatforms[] = {"amd64", "amd64", "arm64", "s390x"};
    auto spec = std::make_shared<core::JobSpec>();
    spec->project = absl::StrCat("p", submitted_ % 20);
    spec->tags = {{repository, absl::StrCat("j", submitted_)}};
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

// Beside busy workers there are free ones that were lost just now, for which all that waits is too
// long: each round submits a short build, which is done there.
class FlappingFarm : public BusyFarm {
 public:
  FlappingFarm(int queued, int workers) : BusyFarm(Known()) {
    constexpr int kFlapping = 8;
    uint64_t session = 0;
    for (int w = 0; w < kFlapping; ++w) Join(w, ++session);
    for (uint64_t s = 1; s <= kFlapping; ++s) Step(core::WorkerGone{s});
    now_ += absl::Minutes(2);
    Step(core::Tick{});
    for (int w = kFlapping; w < workers; ++w) Join(w, ++session);
    for (int j = 0; j < queued + workers - kFlapping; ++j) Submit("reg/long");
    for (int w = 0; w < kFlapping; ++w) Join(w, ++session);
  }

  double Measure() {
    constexpr int kFew = kRounds / 10;
    double seconds = 0;
    for (int round = 0; round < kFew; ++round) {
      running_.clear();
      seconds += Timed([&] {
        Submit("reg/short");
        for (const core::SendOffer& offer : std::vector(running_)) End(offer);
      });
      if (running_.size() != 1) std::cerr << "  not one build has started, but " << running_.size();
      for (const core::SendOffer& offer : running_) farm_.Forget(offer.job_id);
    }
    return seconds / kFew;
  }

 private:
  static core::FarmState Known() {
    core::Estimates past;
    const absl::Time then = absl::UnixEpoch() + absl::Hours(990);
    for (const char* platform : {"amd64", "arm64", "s390x"}) {
      for (const bool emulated : {false, true}) {
        past.Succeeded({"reg/long", "", *ParsePlatform(platform)}, "w", emulated,
                       emulated ? absl::Hours(8) : absl::Hours(4), then);
        past.Succeeded({"reg/short", "", *ParsePlatform(platform)}, "w", emulated, absl::Minutes(1),
                       then);
      }
    }
    core::FarmState state;
    for (const core::BuildKind& kind : past.TakeChanged()) {
      state.estimates.emplace_back(kind, *past.Find(kind));
    }
    return state;
  }
};

}  // namespace

std::string DecisionCosts() {
  std::string json;
  std::cerr
      << "\nwhole rounds (submit, offer, accept, finish, check, publish) in the core alone:\n";
  double base = 0;
  const auto tell = [&](int queued, int workers, bool flapping, double seconds) {
    if (base == 0) base = seconds;
    std::cerr << absl::StreamFormat(
        "  %6d queued, %5d workers%s: %6.1f us, rate %.2f of the first\n", queued, workers,
        flapping ? ", 8 of them flapping" : "", seconds * 1e6, base / seconds);
    absl::StrAppendFormat(
        &json, "%s{\"queued\":%d,\"workers\":%d,\"flapping\":%d,\"us\":%.2f,\"rate\":%.3f}",
        json.empty() ? "" : ",", queued, workers, flapping ? 8 : 0, seconds * 1e6, base / seconds);
  };
  for (const int workers : {100, 5'000}) {
    for (const int queued : {1'000, 100'000}) {
      tell(queued, workers, false, BusyFarm(queued, workers).Measure());
    }
  }
  for (const int queued : {1'000, 100'000}) {
    tell(queued, 100, true, FlappingFarm(queued, 100).Measure());
  }
  return json;
}

}  // namespace manyarch::bench
