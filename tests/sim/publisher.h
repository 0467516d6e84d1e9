// A publisher's tasks against the simulated registry.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/registry.h"

namespace manyarch::sim {

// The publisher of one controller process: slow, and interrupted when the process dies. Writes of
// one repository happen one after the other, copies between them beside those. Requests fail, or
// are answered too late; they are repeated for as long as the budget lasts, after a look whether
// they have landed.
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
  // Copies the images to the repositories, one after the other.
  void Copy(std::vector<std::string> digests, const std::string& from, std::vector<std::string> to,
            size_t next, Done done);
  // Pushes the list to the repositories, one after the other, each in its turn.
  void PutLists(std::shared_ptr<const core::Publish> effect, std::vector<std::string> repositories,
                size_t next, Done done);
  // Runs the task once it is its turn in all the repositories; it calls what it is given when done.
  void Hold(int era, std::vector<std::string> repositories, size_t next,
            std::function<void(std::function<void()>)> task);
  int Claim(const std::vector<core::TagRef>& tags);
  // Those that nobody has claimed since.
  std::vector<core::TagRef> Held(const std::vector<core::TagRef>& tags, int claim) const;
  void WriteTags(std::vector<core::TagRef> tags, size_t next, bool immutable,
                 std::function<absl::Status(const std::string&)> put, std::string digest,
                 std::function<void(size_t written, absl::Status)> done);

  RunContext* const run_;
  SimRegistry* const registry_;
  const std::function<void(core::Event)> post_;
  bool alive_ = true;
  int era_ = 0;
  std::map<std::string, std::deque<Task>> strands_;
  // Who was the last to be asked to write each tag: copying may take longer for an earlier one.
  std::map<std::string, int> claims_;
  int last_claim_ = 0;
};

}  // namespace manyarch::sim
