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

// Outlives every controller.
class SimRegistry {
 public:
  explicit SimRegistry(RunContext* run) : run_(run) {}

  std::map<std::string, Platform> images;    // By digest: what the image really is.
  std::map<std::string, std::string> lists;  // By digest: bytes.
  std::map<std::string, std::string> tags;   // "repository:tag" → digest.
  // Called whenever a tag has moved.
  std::function<void(const std::string& tag, const std::string& digest)> on_tag_moved;

  void PutTag(const std::string& tag, const std::string& digest);

 private:
  RunContext* const run_;
};

// The publisher of one controller process: slow, and interrupted when the process dies. Writes of
// one repository happen one after the other.
class SimPublisher {
 public:
  SimPublisher(RunContext* run, SimRegistry* registry, std::function<void(core::Event)> post);

  void CarryOut(const core::CheckImage& effect);
  void CarryOut(const core::WriteAnchor& effect);
  void CarryOut(const core::Publish& effect);
  // The process dies: nothing is posted any more. A request on its way may still land.
  void Die() { alive_ = false; }

 private:
  using Task = std::function<void()>;
  void Enqueue(const std::string& repository, Task task);
  void TaskDone(const std::string& repository);
  void WriteTags(const std::string& repository, std::vector<std::string> tags, size_t next,
                 const std::string& digest, int tries,
                 std::function<void(size_t written, absl::Status)> done);

  RunContext* const run_;
  SimRegistry* const registry_;
  const std::function<void(core::Event)> post_;
  bool alive_ = true;
  std::map<std::string, std::deque<Task>> strands_;
};

}  // namespace manyarch::sim
