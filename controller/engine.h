// One turn of the loop, without the thread: a batch of events → core → commit → effects.
#pragma once

#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "controller/core/farm.h"

namespace manyarch::controller {

// What an engine needs of the rest of the controller. Called on the engine's thread.
class EnginePorts {
 public:
  virtual ~EnginePorts() = default;

  virtual core::Now now() = 0;
  virtual absl::StatusOr<core::FarmState> Load() = 0;
  // Makes the changes durable. On an error it is not known what of them is.
  virtual absl::Status Commit(const core::Farm& farm, const core::Effects& effects) = 0;
  // Shows what has changed to those who watch, progress too.
  virtual void Show(const core::Farm& farm, const core::Effects& effects) = 0;
  virtual void CarryOut(const core::Effect& effect) = 0;
  // All effects of a turn were given to CarryOut: what it has gathered goes out now.
  virtual void Flush() {}
  // Memory was ahead of the store and is thrown away: sessions shake hands again, what was shown is
  // void.
  virtual void StartOver(const absl::Status& why) = 0;
};

// Keeps the order that everything rests on: durable, then visible. Not thread-safe.
class Engine {
 public:
  Engine(core::FarmOptions options, core::ListBuilder list_builder, EnginePorts* ports);

  // Loads the farm anew and takes up what was interrupted. To be called first, and again after
  // every error, its own too.
  absl::Status Recover();

  // Takes the events as one batch, and the timers that are due. On an error the batch's callers
  // have been told, the farm is thrown away and everybody has been told to start over: call
  // Recover.
  absl::Status Turn(const std::vector<core::Event>& batch);

  // When the next Turn is due even without events (steady clock).
  absl::Time NextDeadline() const;

  // Answers the callers among `events` with `why`, for want of a farm that could.
  void Refuse(const std::vector<core::Event>& events, const absl::Status& why);

  const core::Farm& farm() const { return *farm_; }

 private:
  void Settle(const core::Effects& effects);

  const core::FarmOptions options_;
  const core::ListBuilder list_builder_;
  EnginePorts* const ports_;
  std::unique_ptr<core::Farm> farm_;
};

}  // namespace manyarch::controller
