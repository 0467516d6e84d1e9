// Who gets the free slot of a worker that is lost often, once a long build has waited for
// max_overtake: cases that read like sentences.
#include <gtest/gtest.h>

#include <functional>

#include "absl/strings/str_cat.h"
#include "controller/core/placement.h"

namespace manyarch::controller::core {
namespace {

const Now kNow{absl::UnixEpoch() + absl::Hours(1000), absl::UnixEpoch() + absl::Hours(900)};

// Another worker, beside the one that is lost every quarter of an hour and has a slot free.
struct Other {
  std::string name;
  bool slot_free = true;
  absl::Duration steady_for = absl::ZeroDuration();  // Hardly ever lost.
  bool emulated = false;
  WorkerState state = WorkerConnected{1};
  Admission admission = Admission::kSchedulable;
  std::string not_ready = "";
  std::string disk = "nvme";
};

struct Case {
  std::string sentence;
  std::vector<Other> others;
  std::vector<std::string> tried = {};  // By the long build.
  absl::Duration waited = absl::Minutes(31);
  std::string gets_it = "long";  // Else "short", which was submitted now.
};

Other Named(const std::string& name) { return Other{name}; }
Other Busy(Other other) {
  other.slot_free = false;
  return other;
}
Other LostEvery(absl::Duration time, Other other) {
  other.steady_for = time;
  return other;
}
Other With(const std::function<void(Other&)>& change) {
  Other other{"steady"};
  change(other);
  return other;
}

std::vector<Case> Cases() {
  std::vector<Case> all;
  const auto add = [&](Case one) { all.push_back(std::move(one)); };
  const std::string kLong = "long";
  const std::string kShort = "short";

  // Only what has waited is not overtaken.
  add({"ASteadyOneIsBusyAndItHasWaited", {Busy(Named("steady"))}});
  add({"ASteadyOneIsBusyAndItHasNotWaitedYet",
       {Busy(Named("steady"))},
       {},
       absl::Minutes(20),
       kShort});

  // A steadier one with a slot for it.
  add({"ASteadyOneHasASlotForIt", {Named("steady")}, {}, absl::Minutes(31), kShort});
  add({"OfTwoSteadyOnesOneHasASlotForIt",
       {Busy(Named("first")), Named("second")},
       {},
       absl::Minutes(31),
       kShort});
  add({"OneThatIsLostLessOftenHasASlotForIt",
       {LostEvery(absl::Hours(4), Named("steadier"))},
       {},
       absl::Minutes(31),
       kShort});
  add({"OneThatIsLostLessOftenIsBusy", {LostEvery(absl::Hours(4), Busy(Named("steadier")))}});

  // One that is no better has a slot.
  add({"OneThatIsLostAsOftenHasASlotForIt",
       {Busy(Named("steady")), LostEvery(absl::Minutes(15), Named("flapping too"))}});

  // A steadier one has a slot, but not for it.
  add({"TheSteadyOneWithASlotWasTriedAlready", {Named("steady")}, {"steady"}});
  add({"TheSteadyOneWithASlotWasTriedAlreadyAndAnotherIsBusy",
       {Named("tried"), Busy(Named("steady"))},
       {"tried"},
       absl::Minutes(31),
       kShort});  // It was lost or broken before, and waits on.
  add({"TheSteadyOneIsCordoned", {With([](Other& o) { o.admission = Admission::kCordoned; })}});
  add({"TheSteadyOneIsDraining", {With([](Other& o) { o.admission = Admission::kDraining; })}});
  add({"TheSteadyOneHasNoDiskLeft", {With([](Other& o) { o.not_ready = "no space"; })}});
  add({"TheSteadyOneIsSilent", {With([](Other& o) { o.state = WorkerSuspect{1}; })}});
  add({"TheSteadyOneIsLost", {With([](Other& o) { o.state = WorkerLost{}; })}});
  add({"TheSteadyOneWouldEmulateIt", {With([](Other& o) { o.emulated = true; })}});
  add({"TheSteadyOneLacksALabelThatItAsksFor", {With([](Other& o) { o.disk = "hdd"; })}});
  return all;
}

// "long" is for linux/amd64 and takes two hours. "short" takes a minute, is for linux/386, and so
// only for the worker that is lost often.
class SlotOfAFlappingWorker : public ::testing::TestWithParam<Case> {
 protected:
  SlotOfAFlappingWorker() {
    Need need;
    need.platform = *ParsePlatform("linux/amd64");
    need.constraints = {{"disk", "nvme"}};
    pool_.Distinguish(need);
    Worker flapping = New("flapping");
    flapping.description.platforms = {{need.platform, false}, {*ParsePlatform("linux/386"), false}};
    flapping.steady_for = absl::Minutes(15);
    pool_.Redescribe(pool_.Insert(std::move(flapping)));
    for (const Other& other : GetParam().others) Add(other);

    WaitingBuild build = NewBuild("long", need, absl::Hours(2));
    build.submitted = kNow.steady - GetParam().waited;
    build.avoid = GetParam().tried;
    queue_.Insert(need, build);
    need.platform = *ParsePlatform("linux/386");
    queue_.Insert(need, NewBuild("short", need, absl::Minutes(1)));
  }

  std::string WhoGetsIt() {
    const std::optional<Decision> one = policy_.ForClass(*pool_.ClassOf("flapping"), kNow);
    return one ? one->job_id : "nobody";
  }

 private:
  static Worker New(const std::string& name) {
    Worker worker;
    worker.description.id = worker.description.name = name;
    worker.description.labels = {{"disk", "nvme"}};
    worker.state = WorkerConnected{7};
    return worker;
  }

  void Add(const Other& other) {
    Worker worker = New(other.name);
    worker.description.platforms = {{*ParsePlatform("linux/amd64"), other.emulated}};
    worker.description.labels = {{"disk", other.disk}};
    worker.state = other.state;
    worker.admission = other.admission;
    worker.not_ready = other.not_ready;
    worker.steady_for = other.steady_for;
    if (!other.slot_free) {
      worker.occupied = {"another"};
      worker.expected_end["another"] = kNow.steady + absl::Minutes(10);
    }
    pool_.Redescribe(pool_.Insert(std::move(worker)));
  }

  WaitingBuild NewBuild(const std::string& name, const Need& need, absl::Duration takes) {
    WaitingBuild build;
    build.key = {++last_key_, 0};
    build.job_id = name;
    build.project = "default";
    build.submitted = kNow.steady;
    build.kind = {"reg/" + name, "", need.platform};
    build.native = build.expected = absl::ToDoubleSeconds(takes);
    build.emulated = 8 * build.native;
    return build;
  }

  int64_t last_key_ = 0;
  WorkerPool pool_;
  Estimates estimates_;
  WaitingQueue queue_{QueueOptions{}};
  Policy policy_{&queue_, &pool_, &estimates_};
};

TEST_P(SlotOfAFlappingWorker, GoesTo) { EXPECT_EQ(WhoGetsIt(), GetParam().gets_it); }

INSTANTIATE_TEST_SUITE_P(When, SlotOfAFlappingWorker, ::testing::ValuesIn(Cases()),
                         [](const auto& of) {
                           const bool overtakes = of.param.gets_it == "short";
                           return of.param.sentence +
                                  (overtakes ? "ItIsLeftToAnother" : "ItGoesThere");
                         });

}  // namespace
}  // namespace manyarch::controller::core
