// Drives the core's farm through its events, on a virtual clock.
#include <chrono>
#include <deque>
#include <functional>
#include <map>
#include <queue>
#include <set>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "controller/core/farm.h"
#include "tests/bench/placement/result.h"

namespace manyarch::bench {

namespace {

namespace core = controller::core;

const absl::Time kStart = absl::UnixEpoch() + absl::Hours(24 * 365);

class Driver {
 public:
  Driver(const Trace& trace, double max_overtake) : trace_(trace), runs_(trace.builds.size()) {
    core::FarmOptions options;
    options.suspect_after = absl::Hours(100'000);  // Heartbeats are not simulated.
    options.lost_after = absl::Seconds(60);
    options.cordon_after = 1 << 30;
    options.keep_keys = absl::Seconds(1);
    options.queue.max_overtake = absl::Seconds(max_overtake);
    core::FarmState state;
    core::Estimates past;
    for (const Trace::Past& one : trace.past) {
      const core::BuildKind kind = KindOf(one.repository, one.platform);
      past.Succeeded(kind, "earlier", one.emulated, absl::Seconds(one.seconds + kCold),
                     kStart - absl::Hours(48));
    }
    for (const core::BuildKind& kind : past.TakeChanged()) {
      if (const core::History* known = past.Find(kind)) state.estimates.emplace_back(kind, *known);
    }
    for (const auto& name : kPlatforms) platforms_.push_back(*ParsePlatform(name));
    farm_ = std::make_unique<core::Farm>(
        options,
        [](const std::vector<core::ListEntry>&, core::ImageFormat) {
          return core::PublishIntent{};
        },
        std::move(state), Now());
    core::Effects effects;
    farm_->Start(Now(), effects);
  }

  void Run() {
    for (size_t w = 0; w < trace_.workers.size(); ++w) {
      Join(w);
      for (const auto& [from, until] : trace_.workers[w].down) {
        At(from, [this, w] { Die(w); });
        At(until, [this, w] { Join(w); });
      }
    }
    for (size_t j = 0; j < trace_.jobs.size(); ++j) {
      At(trace_.jobs[j].at, [this, j] { Submit(j); });
    }
    while (done_ < trace_.builds.size() && !events_.empty()) {
      auto [time, sequence, act] = events_.top();
      while (farm_->NextDeadline() <= Steady(time)) {
        now_ = std::max(now_, absl::ToDoubleSeconds(farm_->NextDeadline() - kStart));
        Step(core::Tick{});
      }
      events_.pop();
      now_ = time;
      act();
    }
  }

  const Runs& runs() const { return runs_; }
  double real_us() const { return real_us_; }

 private:
  struct Running {
    size_t build = 0;
    size_t worker = 0;
    int life = 0;
  };
  using Event = std::tuple<double, int64_t, std::function<void()>>;
  struct Later {
    bool operator()(const Event& a, const Event& b) const {
      return std::tie(std::get<0>(a), std::get<1>(a)) > std::tie(std::get<0>(b), std::get<1>(b));
    }
  };

  static absl::Time Steady(double seconds) { return kStart + absl::Seconds(seconds); }
  core::Now Now() const { return {Steady(now_), Steady(now_)}; }
  core::BuildKind KindOf(int repository, int platform) const {
    return {absl::StrCat("reg/r", repository), "",
            *ParsePlatform(kPlatforms[static_cast<size_t>(platform)])};
  }
  void At(double time, std::function<void()> act) {
    events_.emplace(time, ++sequence_, std::move(act));
  }

  void Step(const core::Event& event) {
    core::Effects effects;
    const auto before = std::chrono::steady_clock::now();
    farm_->Step(event, Now(), effects);
    real_us_ += std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - before)
                    .count();
    for (const core::Effect& effect : effects.out) {
      if (const auto* offer = std::get_if<core::SendOffer>(&effect)) todo_.push_back(*offer);
      if (const auto* check = std::get_if<core::CheckImage>(&effect)) todo_.push_back(*check);
      if (const auto* publish = std::get_if<core::Publish>(&effect)) todo_.push_back(*publish);
    }
    for (const std::string& id : effects.jobs) forget_.insert(id);
    if (stepping_) return;
    stepping_ = true;
    while (!todo_.empty()) {
      const core::Effect effect = std::move(todo_.front());
      todo_.erase(todo_.begin());
      Carry(effect);
    }
    for (const std::string& id : forget_) farm_->Forget(id);
    forget_.clear();
    stepping_ = false;
  }

  void Carry(const core::Effect& effect) {
    if (const auto* offer = std::get_if<core::SendOffer>(&effect)) {
      Begin(*offer);
    } else if (const auto* check = std::get_if<core::CheckImage>(&effect)) {
      Step(core::ImageChecked{check->attempt_id, check->image, {}, {}});
    } else if (const auto* publish = std::get_if<core::Publish>(&effect)) {
      Step(core::PublishFinished{publish->job_id, {}, absl::OkStatus()});
    }
  }

  void Join(size_t w) {
    const TraceWorker& worker = trace_.workers[w];
    core::WorkerHello hello;
    hello.session = ++last_session_;
    sessions_[w] = hello.session;
    worker_of_[hello.session] = w;
    hello.description.id = hello.description.name = absl::StrCat("w", w);
    hello.incarnation = absl::StrCat("w", w, "#", hello.session);
    hello.description.slots = worker.slots;
    for (const int p : worker.native) {
      hello.description.platforms.push_back({platforms_[static_cast<size_t>(p)], false});
    }
    for (const int p : worker.emulated) {
      hello.description.platforms.push_back({platforms_[static_cast<size_t>(p)], true});
    }
    Step(hello);
  }

  void Die(size_t w) {
    ++lives_[w];
    Step(core::WorkerGone{sessions_[w]});
  }

  void Submit(size_t j) {
    const TraceJob& job = trace_.jobs[j];
    auto spec = std::make_shared<core::JobSpec>();
    spec->project = absl::StrCat("p", job.project);
    spec->tags = {{absl::StrCat("reg/r", job.repository), absl::StrCat("j", j)}};
    for (const int b : job.builds) {
      spec->platforms.push_back(
          {platforms_[static_cast<size_t>(trace_.builds[static_cast<size_t>(b)].platform)], false});
    }
    spec->arch_tag_template.clear();
    spec->emulation = job.allow ? core::Emulation::kAllow : core::Emulation::kFallback;
    spec->max_attempts = 1000;
    spec->unschedulable_after = absl::ZeroDuration();
    core::Submit submit;
    submit.job_id = absl::StrCat("j", j);
    submit.idempotency_key = submit.job_id;
    submit.spec = std::move(spec);
    Step(submit);
  }

  void Begin(const core::SendOffer& offer) {
    int job = 0;
    (void)absl::SimpleAtoi(offer.job_id.substr(1), &job);
    size_t build = 0;
    for (const int b : trace_.jobs[static_cast<size_t>(job)].builds) {
      const size_t platform = static_cast<size_t>(trace_.builds[static_cast<size_t>(b)].platform);
      if (platforms_[platform] == offer.platform) build = static_cast<size_t>(b);
    }
    const size_t w = worker_of_.at(offer.session);
    const TraceBuild& it = trace_.builds[build];
    const auto kind =
        std::make_pair(trace_.jobs[static_cast<size_t>(it.job)].repository, it.platform);
    double seconds = offer.emulated ? it.emulated : it.native;
    if (!warm_[w].contains(kind)) seconds += kCold;
    if (runs_.first[build] < 0) runs_.first[build] = now_;
    runs_.starts.push_back({build, static_cast<int>(w), now_});
    runs_.start[build] = now_;
    runs_.emulated[build] = offer.emulated;
    runs_.worker[build] = static_cast<int>(w);
    Step(core::OfferAnswered{offer.session, offer.attempt_id, true, ""});
    At(now_ + seconds, [this, offer, w, build, kind, life = lives_[w]] {
      if (lives_[w] != life) return;
      warm_[w].insert(kind);
      runs_.end[build] = now_;
      ++done_;
      Step(core::AttemptFinished{
          offer.session,
          {offer.attempt_id, core::Image{"reg", "sha256:" + offer.attempt_id, 1, ""}, 0}});
    });
  }

  const Trace& trace_;
  Runs runs_;
  std::vector<Platform> platforms_;
  std::unique_ptr<core::Farm> farm_;
  double now_ = 0;
  double real_us_ = 0;
  int64_t sequence_ = 0;
  std::priority_queue<Event, std::vector<Event>, Later> events_;
  std::deque<core::Effect> todo_;
  std::set<std::string> forget_;
  bool stepping_ = false;
  uint64_t last_session_ = 0;
  std::map<size_t, uint64_t> sessions_;
  absl::flat_hash_map<uint64_t, size_t> worker_of_;
  std::map<size_t, int> lives_;
  std::map<size_t, std::set<std::pair<int, int>>> warm_;
  size_t done_ = 0;
};

}  // namespace

Result RunFarm(const Trace& trace, Runs* runs_out, double max_overtake) {
  Driver driver(trace, max_overtake);
  driver.Run();
  Result result = Summarise("manyarch", trace, driver.runs());
  result.decide_us = driver.real_us() / static_cast<double>(trace.builds.size());
  if (runs_out != nullptr) *runs_out = driver.runs();
  return result;
}

}  // namespace manyarch::bench
