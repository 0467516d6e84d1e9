// A registry that remembers what was pushed, and a publisher's tasks against it.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/core/effects.h"
#include "tests/sim/run_context.h"

namespace manyarch::sim {

namespace core = controller::core;

// "linux/amd64=sha256:a;linux/arm64=sha256:b"
core::PublishIntent BuildSimList(const std::vector<core::ListEntry>& entries);
// The images of such a list, by platform; a platform that stands there twice is there twice.
std::vector<std::pair<std::string, std::string>> EntriesOf(const std::string& list);

// Outlives every controller. As real ones do, it refuses what refers to something absent; and it
// may delete what no tag leads to.
class SimRegistry {
 public:
  explicit SimRegistry(RunContext* run);

  struct Image {
    Platform platform;  // What it really is.
    absl::Time pushed;
    bool deleted = false;
  };

  std::map<std::string, Image> images;       // By digest.
  std::map<std::string, std::string> lists;  // By digest: bytes.
  std::map<std::string, std::string> tags;   // "repository:tag" → digest.
  // Called whenever a tag has moved, to a list or to an image.
  std::function<void(const std::string& tag, const std::string& digest)> on_tag_moved;

  void PushImage(const std::string& digest, const Platform& platform);
  bool Has(const std::string& digest) const;
  absl::Status PutList(const core::PublishIntent& intent);
  absl::Status PutTag(const std::string& tag, const core::PublishIntent& intent);
  absl::Status PutImageTag(const std::string& tag, const std::string& digest);

  // Deletes images that have been untagged, and in no tagged list, for longer than this registry
  // keeps them.
  void Collect();

 private:
  void Move(const std::string& tag, const std::string& digest);

  RunContext* const run_;
  const absl::Duration keeps_untagged_;
};

// The publisher of one controller process: slow, and interrupted when the process dies. Writes of
// one repository happen one after the other. Requests fail, or are answered too late; they are
// repeated for as long as the budget lasts, after a look whether they have landed.
class SimPublisher {
 public:
  SimPublisher(RunContext* run, SimRegistry* registry, std::function<void(core::Event)> post);

  void CarryOut(const core::CheckImage& effect);
  void CarryOut(const core::WriteAnchor& effect);
  void CarryOut(const core::Publish& effect);
  // What was begun is void: its outcome interests nobody, what waits is not begun.
  void StartOver() { ++era_; }
  // The process dies: nothing is posted any more. A request on its way may still land, soon.
  void Die() { alive_ = false; }

 private:
  using Task = std::function<void()>;
  using Done = std::function<void(absl::Status)>;
  struct Request {
    std::function<absl::Status()> serve;  // What the registry does with it.
    std::function<bool()> landed;         // What a look would show; none for reads.
    Done done;
    absl::Time until;
  };
  void Post(int era, core::Event event);
  void Enqueue(const std::string& repository, Task task);
  void TaskDone(const std::string& repository);
  void Ask(std::function<absl::Status()> serve, std::function<bool()> landed, Done done);
  void Try(std::shared_ptr<Request> request);
  void LookOnceMore(std::shared_ptr<Request> request, absl::Status why, absl::Time until);
  void WriteTags(std::vector<std::string> tags, size_t next,
                 std::function<absl::Status(const std::string&)> put, std::string digest,
                 std::function<void(size_t written, absl::Status)> done);

  RunContext* const run_;
  SimRegistry* const registry_;
  const std::function<void(core::Event)> post_;
  bool alive_ = true;
  int era_ = 0;
  std::map<std::string, std::deque<Task>> strands_;
};

}  // namespace manyarch::sim
