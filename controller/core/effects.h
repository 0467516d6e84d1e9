// What the farm wants done. Plain structs: made by Farm::Step, carried out by adapters in order,
// and only after everything that the same batch changed is durable.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/status/status.h"
#include "controller/core/estimates.h"
#include "controller/core/events.h"
#include "controller/core/types.h"

namespace manyarch::controller::core {

// --- To clients
// -------------------------------------------------------------------------------------

// Answers an event that has a call: what it was about, or why not.
struct Answer {
  CallId call = 0;
  absl::Status status;
  std::string job_id;  // Of SetAdmission: the worker's id.
  bool existed = false;
};

// What speaks for or against a worker that a build might go to.
struct WorkerEligibility {
  std::string worker_id;
  std::string worker_name;
  bool eligible = false;  // It could take the build, now or when a slot is free.
  std::string reason;     // Why not, or what it is busy with.
};

struct BuildExplanation {
  Platform platform;
  std::string summary;  // Of a build that waits; else empty.
  std::string beside;   // What a build that runs waits for beside that; else empty.
  std::vector<WorkerEligibility> workers;     // All of them, sorted by name, where the build waits.
  std::optional<absl::Time> predicted_start;  // Wall; absent where it runs, or cannot be told.
  std::optional<absl::Time> predicted_finish;  // Wall; absent where it has ended, or as above.
  std::string predicted_worker;  // The name of whose slot it gets, where its turn is next.
  // Of builds like what holds the slot that it waits for, or like itself, none was built yet.
  bool start_guessed = false;
  bool time_guessed = false;
};

// Answers Explain. NOT_FOUND: no such live job.
struct Explained {
  CallId call = 0;
  absl::Status status;
  std::vector<BuildExplanation> builds;  // One a build, in the job's order.
};

// --- To workers
// -------------------------------------------------------------------------------------

enum class Verdict { kGoOn, kAbandon, kAcknowledged };

struct SendHelloAnswer {
  uint64_t session = 0;
  int64_t epoch = 0;
  std::vector<std::pair<std::string, Verdict>> verdicts;
};

struct SendOffer {
  uint64_t session = 0;
  std::string attempt_id;
  std::string job_id;
  Platform platform;
  bool emulated = false;
  std::shared_ptr<const JobSpec> spec;
};

struct SendAbandon {
  uint64_t session = 0;
  std::string attempt_id;
  std::string reason;
};

struct SendAcknowledged {
  uint64_t session = 0;
  std::string attempt_id;
};

// Ends a stream, with the reason.
struct CloseSession {
  uint64_t session = 0;
  absl::Status reason;
};

// --- To the publisher
// -------------------------------------------------------------------------------

// Fetch manifest and config, check digests, size and platform; answered by ImageChecked. For an
// image of an earlier job the attempt has the number 0, which no real one has.
struct CheckImage {
  std::string attempt_id;
  Platform platform;
  Image image;
  ImageFormat format;   // An image of the other one is rewritten, if it can be.
  bool sealed = false;  // The job has sealed values; credentials may be among them.
};

// Write the per-architecture tags of a build, in other repositories after copying the image there;
// answered by AnchorFinished.
struct WriteAnchor {
  std::string job_id;
  Platform platform;
  Image image;
  std::vector<TagRef> refs;
  bool immutable;
  bool sealed = false;  // As in CheckImage.
};

// Copy the images to where they are not yet, push the list by digest to each repository of the
// tags, then write the tags; answered by PublishFinished.
struct Publish {
  std::string job_id;
  PublishIntent intent;
  std::string source;  // The repository that has the images.
  std::vector<TagRef> tags;
  bool immutable;       // A tag that points elsewhere is not moved: an error instead.
  bool sealed = false;  // As in CheckImage.
};

using Effect = std::variant<Answer, Explained, SendHelloAnswer, SendOffer, SendAbandon,
                            SendAcknowledged, CloseSession, CheckImage, WriteAnchor, Publish>;

// The outcome of one or more steps.
struct Effects {
  std::vector<Effect> out;
  absl::btree_set<std::string> jobs;           // Changed; to be made durable.
  absl::btree_set<std::string> progress;       // Changed in ways not worth a sync of their own.
  absl::btree_set<std::string> workers;        // Changed; to be made durable.
  absl::btree_set<std::string> workers_shown;  // Changed in ways that are seen but not kept.
  absl::btree_set<std::string> tags;  // "repository:tag" whose owner changed; to be made durable.
  absl::btree_set<BuildKind> estimates;  // Changed or forgotten; durable with the jobs.

  bool NeedsCommit() const { return !jobs.empty() || !workers.empty() || !tags.empty(); }
};

}  // namespace manyarch::controller::core
