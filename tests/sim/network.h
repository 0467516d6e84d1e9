// Sessions between workers and controllers: ordered streams that are slow, stall, and break.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <variant>

#include "controller/core/effects.h"
#include "controller/core/events.h"
#include "tests/sim/run_context.h"
#include "worker/core/events.h"

namespace manyarch::sim {

// One stream. Each direction delivers in order; an end that closes or dies is noticed by the other
// end later, and not at all while the stream is stalled by a partition.
class SimStream : public std::enable_shared_from_this<SimStream> {
 public:
  struct End {
    std::function<void()> on_closed;  // The other end is gone.
    bool open = true;
  };

  SimStream(RunContext* run, const std::map<std::string, absl::Time>* stalled_until,
            std::string worker)
      : run_(run), stalled_until_(stalled_until), worker_(std::move(worker)) {}

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
    Pass(by_worker ? false : true, [this, by_worker] {
      End& other = by_worker ? controller_end : worker_end;
      other.open = false;
      if (other.on_closed) other.on_closed();
    });
  }

 private:
  void Pass(bool to_worker, std::function<void()> deliver) {
    absl::Time& last = to_worker ? last_to_worker_ : last_to_controller_;
    absl::Duration delay = run_->chance.Between(absl::Microseconds(100), absl::Milliseconds(5));
    if (run_->faults && run_->chance.OneIn(20)) {
      delay += run_->chance.Between(absl::ZeroDuration(), absl::Seconds(3));
    }
    last = std::max(last, run_->scheduler.now() + delay);
    Arrive(last, to_worker, std::move(deliver));
  }

  void Arrive(absl::Time when, bool to_worker, std::function<void()> deliver) {
    run_->scheduler.At(
        when, [this, self = shared_from_this(), to_worker, deliver = std::move(deliver)]() mutable {
          const auto stalled = stalled_until_->find(worker_);
          if (stalled != stalled_until_->end() && stalled->second > run_->scheduler.now()) {
            Arrive(stalled->second, to_worker, std::move(deliver));
            return;
          }
          if ((to_worker ? worker_end : controller_end).open) deliver();
        });
  }

  RunContext* const run_;
  const std::map<std::string, absl::Time>* const stalled_until_;
  const std::string worker_;
  absl::Time last_to_worker_ = absl::InfinitePast();
  absl::Time last_to_controller_ = absl::InfinitePast();
};

}  // namespace manyarch::sim
