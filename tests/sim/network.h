// Sessions between workers and controllers: ordered streams that are slow, stall, lose their tail,
// and break.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <string>

#include "tests/sim/run_context.h"

namespace manyarch::sim {

// Until when a path delivers nothing, by direction. What is under way then arrives later.
struct Cut {
  absl::Time to_worker = absl::InfinitePast();
  absl::Time to_controller = absl::InfinitePast();

  absl::Time& Of(bool worker) { return worker ? to_worker : to_controller; }
  bool Any(absl::Time now) const { return to_worker > now || to_controller > now; }
};

// One stream. Each direction delivers in order what it delivers; an end that closes or dies is
// noticed by the other end later, and not at all when that news is lost too. A stream that was
// replaced may still deliver what it had under way, after the first words of its successor.
class SimStream : public std::enable_shared_from_this<SimStream> {
 public:
  struct End {
    std::function<void()> on_closed;  // The other end is gone.
    bool open = true;
  };

  // `cut` is that of the worker's network and outlives the stream.
  SimStream(RunContext* run, Cut* cut) : run_(run), cut_(cut) {}

  End worker_end;
  End controller_end;

  // Runs `deliver` at the other end, unless that end has closed by then.
  void Send(bool to_worker, std::function<void()> deliver) {
    End& from = to_worker ? controller_end : worker_end;
    if (!from.open) return;
    Pass(to_worker, std::move(deliver));
  }

  void Close(bool by_worker) {
    End& end = by_worker ? worker_end : controller_end;
    if (!end.open) return;
    end.open = false;
    Pass(/*to_worker=*/!by_worker, [this, by_worker] {
      End& other = by_worker ? controller_end : worker_end;
      other.open = false;
      if (other.on_closed) other.on_closed();
    });
  }

  // From now on nothing arrives any more in this direction, what is under way included; nobody is
  // told.
  void Lose(bool to_worker) { (to_worker ? lost_to_worker_ : lost_to_controller_) = true; }

  // This stream alone stands still, both ways.
  void Stall(absl::Time until) { own_cut_ = {until, until}; }

 private:
  void Pass(bool to_worker, std::function<void()> deliver) {
    absl::Time& last = to_worker ? last_to_worker_ : last_to_controller_;
    absl::Duration delay = run_->chance.Between(absl::Microseconds(100), absl::Milliseconds(5));
    if (run_->Luck(20)) {
      delay += run_->chance.Between(absl::ZeroDuration(), absl::Seconds(3));
    }
    last = std::max(last, run_->scheduler.now() + delay);
    Arrive(last, to_worker, std::move(deliver));
  }

  void Arrive(absl::Time when, bool to_worker, std::function<void()> deliver) {
    run_->scheduler.At(
        when, [this, self = shared_from_this(), to_worker, deliver = std::move(deliver)]() mutable {
          if (to_worker ? lost_to_worker_ : lost_to_controller_) return;
          const absl::Time until = std::max(cut_->Of(to_worker), own_cut_.Of(to_worker));
          if (until > run_->scheduler.now()) {
            Arrive(until, to_worker, std::move(deliver));
            return;
          }
          if ((to_worker ? worker_end : controller_end).open) deliver();
        });
  }

  RunContext* const run_;
  Cut* const cut_;
  Cut own_cut_;
  bool lost_to_worker_ = false;
  bool lost_to_controller_ = false;
  absl::Time last_to_worker_ = absl::InfinitePast();
  absl::Time last_to_controller_ = absl::InfinitePast();
};

}  // namespace manyarch::sim
