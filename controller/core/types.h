// What the controller knows: jobs, builds, attempts, workers. Plain values; states are variants,
// and a state owns only its own data.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/container/btree_set.h"
#include "absl/time/time.h"
#include "common/base/platform.h"

namespace manyarch::controller::core {

// Both clocks of one instant. `wall` is for people and for rows; leases and deadlines are judged by
// `steady` alone, which no clock adjustment moves and which starts anew with every process.
struct Now {
  absl::Time wall;
  absl::Time steady;
};

enum class FailureClass { kUser, kInfrastructure, kLost, kTimeout, kUnschedulable };

struct Failure {
  FailureClass cls = FailureClass::kInfrastructure;
  std::string message;
  int exit_code = 0;
  std::string step;
  std::vector<std::string> last_lines;
  bool emulator_crash = false;  // A native worker may succeed.
};

// A pushed image. `size` and `media_type` are those of its manifest; known once verified.
struct Image {
  std::string repository;
  std::string digest;
  int64_t size = 0;
  std::string media_type;
};

enum class Emulation { kNever, kFallback, kAllow };

// What a worker does about programs of another architecture in an image.
enum class BinaryCheck { kWarn, kStrict, kOff };

// Docker v2s2 images and a manifest list, or OCI images and an index.
enum class ImageFormat { kDocker, kOci };

struct TagRef {
  std::string repository;  // "host[:port]/path"
  std::string tag;

  std::string ToString() const { return repository + ":" + tag; }
};

// A value that only the adapters can open; never sent and never shown.
struct SealedSecret {
  std::string name;
  std::string bytes;
};

struct PlatformRequest {
  Platform platform;
  bool optional = false;
};

// What was submitted; immutable, so it is shared and never copied.
struct JobSpec {
  std::string principal;
  std::string project;
  // At least one. Workers push to the first one's repository; the controller copies from there.
  std::vector<TagRef> tags;
  std::vector<PlatformRequest> platforms;
  std::string context_root;
  std::string source;                // Where the context came from, for people.
  std::string options;               // Opaque to the core: the serialised build options.
  std::vector<SealedSecret> sealed;  // Kept apart from all else, until the job is terminal.
  Emulation emulation = Emulation::kFallback;
  absl::Duration build_timeout = absl::Hours(6);
  int max_attempts = 3;
  absl::Duration unschedulable_after = absl::Minutes(15);  // Zero: wait for ever.
  std::string arch_tag_template = "{tag}-{arch}";          // Empty: no per-architecture tags.
  int priority = 0;
  bool keep_going = false;  // What waits is started although a required platform has failed.
  BinaryCheck binary_check = BinaryCheck::kWarn;
  ImageFormat format = ImageFormat::kDocker;
  bool immutable = false;    // A tag that points elsewhere is not moved.
  std::string target;        // The Containerfile's stage; durations are learned for each.
  int64_t memory_bytes = 0;  // That a build may use; 0: not said.
  absl::btree_map<std::string, std::string> constraints;  // Labels that a worker must have.
  bool hedge = false;  // Emulated while native is a long way off, and natively as well.
  bool local_only =
      false;  // What workers push to is on the controller's loopback: only those there reach it.
};

// --- Attempts
// ---------------------------------------------------------------------------------------

enum class Phase { kAccepted, kFetching, kBuilding, kPushing };

struct AttemptOffered {};
struct AttemptRunning {
  Phase phase = Phase::kAccepted;
};
// The worker has pushed and may forget it; the controller checks the image in the registry.
struct AttemptVerifying {
  Image image;
  std::vector<std::string> warnings = {};  // The worker's.
};
struct AttemptSucceeded {
  Image image;
};
struct AttemptFailed {
  Failure failure;
};
// Not terminal until its build is: it may come back, and it may still win.
struct AttemptLost {
  Failure failure;
};
struct AttemptCancelled {};

using AttemptState = std::variant<AttemptOffered, AttemptRunning, AttemptVerifying,
                                  AttemptSucceeded, AttemptFailed, AttemptLost, AttemptCancelled>;

struct Attempt {
  std::string id;
  int number = 1;
  std::string worker;
  std::string worker_name;
  bool emulated = false;
  AttemptState state;
  bool counts = true;  // Against the build's attempts: handed-back ones and refused offers do not.
  int64_t log_size = 0;
  absl::Time offered_at;
  absl::Time accepted_at = absl::InfinitePast();
  absl::Time building_at = absl::InfinitePast();
  absl::Time pushing_at = absl::InfinitePast();
  absl::Time pushed_at = absl::InfinitePast();  // When its worker reported the image.
  absl::Time finished_at = absl::InfinitePast();
  absl::Time deadline = absl::InfiniteFuture();  // Steady: when the controller itself ends it.
  absl::Time began = absl::InfiniteFuture();     // Steady: when its worker took it.
  double predicted = 0;                          // Seconds that it was expected to need its slot.
  bool guessed = false;                          // That rests on nothing learned.
  absl::Duration took;  // From then until its image was reported; zero: not known.
};

// --- Builds
// -----------------------------------------------------------------------------------------

struct BuildWaiting {
  std::string reason;
  absl::Time since;                              // Wall.
  absl::Time not_before = absl::InfinitePast();  // Steady: the pause before a retry.
  absl::Time no_worker_since =
      absl::InfiniteFuture();  // Steady: since when none could ever take it.
  std::string setback = {};    // Why it was not enough that it has been tried; part of `reason`.
};
// The image of an earlier job is looked for in the registry; where it is gone, the build waits.
struct BuildReusing {
  Image image;
};
struct BuildRunning {};
struct BuildSucceeded {
  Image image;
  std::string winner;  // The attempt's id; empty for an image of an earlier job.
};
struct BuildFailed {
  Failure failure;
};
struct BuildCancelled {
  std::string reason;
};

using BuildState = std::variant<BuildWaiting, BuildReusing, BuildRunning, BuildSucceeded,
                                BuildFailed, BuildCancelled>;

// The per-architecture tag of a build that succeeded.
enum class Anchor { kNone, kPending, kDone, kFailed, kSuperseded };

struct Build {
  Platform platform;
  bool optional = false;
  BuildState state;
  std::vector<Attempt> attempts;
  std::vector<std::string> warnings;
  Anchor anchor = Anchor::kNone;
  std::string reused_from;  // The job whose image this is, or may be; empty: its own.
  absl::Time finished_at = absl::InfinitePast();
};

// --- Jobs
// -------------------------------------------------------------------------------------------

// The exact list to publish, decided once and for all.
struct PublishIntent {
  std::string list;
  std::string digest;
  std::string media_type;
};

struct JobQueued {};
struct JobRunning {};
struct JobPublishing {
  PublishIntent intent;
};
struct JobSucceeded {
  PublishIntent intent;
};
struct JobFailed {
  Failure failure;
};
struct JobCancelled {
  std::string reason;
};
struct JobSuperseded {
  std::string reason;
};

using JobState = std::variant<JobQueued, JobRunning, JobPublishing, JobSucceeded, JobFailed,
                              JobCancelled, JobSuperseded>;

// What became of one of a job's tags.
struct TagOutcome {
  TagRef ref;
  bool written = false;
  std::string note;
};

struct Job {
  std::string id;
  std::shared_ptr<const JobSpec> spec;
  std::string idempotency_key;
  std::string request_hash;
  int64_t generation = 0;  // Order of submission over all jobs.
  JobState state;
  std::vector<Build> builds;
  std::vector<TagOutcome> tags;
  std::string status_reason;
  std::string retry_of;  // The job that this one repeats; empty: none.
  int64_t revision = 0;
  absl::Time submitted_at;
  absl::Time queued_at;  // Steady: when it was submitted.
  absl::Time started_at = absl::InfinitePast();
  absl::Time finished_at = absl::InfinitePast();
};

// The newest submission that was ever allowed to write a tag. Kept for every tag, for ever.
struct TagOwner {
  int64_t generation = 0;
  std::string job_id;
};

// --- Workers
// ----------------------------------------------------------------------------------------

struct OfferedPlatform {
  Platform platform;
  bool emulated = false;
};

// Tried and found not to run there.
struct RefusedPlatform {
  Platform platform;
  std::string reason;
};

struct WorkerDescription {
  std::string id;
  std::string name;
  std::vector<OfferedPlatform> platforms;
  std::vector<RefusedPlatform> refused;
  int slots = 1;
  absl::btree_map<std::string, std::string> labels;
  bool local = false;   // It shares the controller's loopback.
  std::string details;  // Opaque to the core: the serialised description, for listings.
};

// What the operator (or the farm itself, for a worker that keeps failing) has decided. Survives
// restarts.
enum class Admission { kSchedulable, kCordoned, kDraining };

// Failures in a row, over different jobs, with no success between them.
struct FailureStreak {
  absl::btree_set<std::string> jobs;
  int64_t others_before = 0;  // Successes of other workers when it began.
};

struct WorkerConnected {
  uint64_t session = 0;
};
struct WorkerSuspect {
  uint64_t session = 0;  // 0: its stream is closed.
};
struct WorkerLost {};

using WorkerState = std::variant<WorkerConnected, WorkerSuspect, WorkerLost>;

struct Worker {
  WorkerDescription description;
  std::string incarnation;
  int64_t epoch = 0;  // Of its session: rises with each.
  WorkerState state = WorkerLost{};
  Admission admission = Admission::kSchedulable;
  std::string admission_reason;
  bool stopping = false;  // It says itself that it takes nothing new.
  std::string not_ready;  // Why it takes nothing new for now, as it says itself; empty: it does.
  int64_t successes = 0;
  FailureStreak streak;
  absl::Time known_since = absl::InfinitePast();  // Wall: its first Hello.
  std::vector<absl::Time> lost_at;                // Wall: when it was lost within the last day.
  absl::Duration steady_for;  // From one loss to the next, roughly; zero: hardly ever lost.
  absl::btree_set<std::string> occupied;  // Attempts that hold a slot there, abandoned ones too.
  absl::btree_map<std::string, absl::Time> expected_end;  // Steady, of those known among them.
  absl::Time last_heard;                                  // Steady.
  absl::Time last_seen_at;                                // Wall.
};

// --- Predicates
// -------------------------------------------------------------------------------------

bool IsTerminal(const JobState& state);
bool IsTerminal(const BuildState& state);
// Succeeded, failed or cancelled; lost is not.
bool IsTerminal(const AttemptState& state);
// Offered or running on a worker: it holds a slot, as far as the controller knows.
bool IsOnWorker(const AttemptState& state);

// "{tag}-{arch}" filled in: "1.0" and linux/arm/v7 give "1.0-armv7".
std::string ArchTag(const std::string& pattern, const std::string& tag, const Platform& platform);

// One child of the list to publish.
struct ListEntry {
  Platform platform;
  Image image;
};
// Makes the exact bytes of a list; a pure function given to the core by the composition root.
using ListBuilder = std::function<PublishIntent(const std::vector<ListEntry>&, ImageFormat)>;

}  // namespace manyarch::controller::core
