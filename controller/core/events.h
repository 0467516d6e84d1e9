// What happens to the farm. Plain structs: made by adapters, consumed by Farm::Step.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

// Names a caller that waits for an answer; chosen by the adapter, echoed in the answering effect.
using CallId = uint64_t;

// --- From clients
// -----------------------------------------------------------------------------------

// An image that an earlier job has left for one of the platforms.
struct ReusableImage {
  Platform platform;
  Image image;
  std::string job_id;  // Whose it is.
};

struct Submit {
  CallId call = 0;
  std::string job_id;  // Fresh; not used when the key is known already.
  std::string idempotency_key;
  std::string request_hash;
  std::shared_ptr<const JobSpec> spec;
  std::string retry_of;              // The job that this one repeats; empty: none.
  std::vector<ReusableImage> reuse;  // Not built again where the registry still has them.
};

struct Cancel {
  CallId call = 0;
  std::string job_id;
  std::string reason;
};

// Whether a worker takes anything new, by its id or its name.
struct SetAdmission {
  CallId call = 0;
  std::string worker;
  Admission admission = Admission::kSchedulable;
  std::string reason;
};

// Why the builds of a live job are where they are. Changes nothing.
struct Explain {
  CallId call = 0;
  std::string job_id;
  bool times_only = false;  // When its builds start and end, and not what speaks against whom.
};

// --- From workers
// -----------------------------------------------------------------------------------

using AttemptResult = std::variant<Image, Failure, AttemptCancelled>;

struct FinishedAttempt {
  std::string attempt_id;
  AttemptResult result;
  int64_t log_size = 0;
  std::vector<std::string> warnings = {};  // About the image.
};

struct RunningAttempt {
  std::string attempt_id;
  Phase phase = Phase::kAccepted;
};

struct WorkerHello {
  uint64_t session = 0;
  WorkerDescription description;
  std::string incarnation;
  std::vector<RunningAttempt> running;
  std::vector<FinishedAttempt> finished;
  bool draining = false;
  std::string not_ready;  // Why it takes nothing new for now; empty where it does.
};

// Anything at all was heard from the worker.
struct WorkerHeard {
  uint64_t session = 0;
};

struct WorkerGone {
  uint64_t session = 0;
};

struct OfferAnswered {
  uint64_t session = 0;
  std::string attempt_id;
  bool accepted = false;
  std::string reason;
};

struct AttemptProgressed {
  uint64_t session = 0;
  std::string attempt_id;
  Phase phase = Phase::kAccepted;
};

struct AttemptFinished {
  uint64_t session = 0;
  FinishedAttempt finished;
};

struct WorkerReadiness {
  uint64_t session = 0;
  std::string not_ready;  // Why it takes nothing new for now; empty: it does again.
};

struct WorkerDrains {
  uint64_t session = 0;
  std::vector<std::string> hand_back;
};

// --- From the publisher
// -----------------------------------------------------------------------------

// The image of an attempt was checked in the registry, or that of an earlier job (see CheckImage).
// When `failure` is set it is not usable.
struct ImageChecked {
  std::string attempt_id;
  Image image;
  std::vector<std::string> warnings;
  std::optional<Failure> failure;
};

// The per-architecture tag of a build was written (or not: then `error` says why).
struct AnchorFinished {
  std::string job_id;
  Platform platform;
  absl::Status error;
};

// What the publisher is at, of what takes long; empty: nothing of the kind. Not answered to
// anything.
struct PublishProgressed {
  std::string job_id;
  std::string what;
};

// The list was pushed and its tags were written, as far as `tags` says.
struct PublishFinished {
  std::string job_id;
  std::vector<TagOutcome> tags;  // Those that were to be written.
  absl::Status error;            // Not OK: some are not.
};

// --- From the clock
// ---------------------------------------------------------------------------------

struct Tick {};

using Event =
    std::variant<Submit, Cancel, SetAdmission, Explain, WorkerHello, WorkerHeard, WorkerGone,
                 OfferAnswered, AttemptProgressed, AttemptFinished, WorkerReadiness, WorkerDrains,
                 ImageChecked, AnchorFinished, PublishProgressed, PublishFinished, Tick>;

}  // namespace manyarch::controller::core
