// A whole farm in one thread: clients, a controller, workers, a registry, and everything that goes
// wrong.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tests/sim/controller.h"
#include "tests/sim/registry.h"
#include "tests/sim/run_context.h"
#include "tests/sim/store.h"
#include "tests/sim/worker.h"

namespace manyarch::sim {

struct RunResult {
  std::string violation;           // Empty: every promise held.
  std::vector<std::string> trace;  // What happened, a line each.
  int jobs = 0;
  int succeeded = 0;
  int crashes = 0;
};

// One run, decided by its seed alone. P1 to P5 are checked whenever anything changes, P6 and the
// state of the tags at the end.
class World {
 public:
  explicit World(uint64_t seed);
  RunResult Run();

 private:
  struct ClientJob {
    std::string key;
    std::string request_hash;
    std::shared_ptr<const core::JobSpec> spec;
    std::string acknowledged;  // The job's id.
    std::string retry_of;
    std::vector<core::ReusableImage> reuse;
  };

  void AddWorkers();
  void AddClients();
  void ScheduleFaults();
  void StartController();
  void SubmitUntilAcknowledged(size_t index);
  void Submit(size_t index);
  void SubmitAnotherRequest(size_t index);
  void MaybeCancel(size_t index);
  void MaybeRetry(size_t index);
  void Fault();
  void WorkerFault(SimWorker& worker);
  void CutOff(SimWorker& worker, bool to_worker, bool to_controller);
  void ReplaceController();
  void SetAdmission(const std::string& worker, core::Admission admission);
  void Heal();
  bool Quiet();
  // checks.cc
  void CheckTag(const std::string& tag, const std::string& from, const std::string& digest);
  void CheckList(const std::string& tag, const core::Job& job, const std::string& list);
  void CheckAnchor(const std::string& tag, const std::string& from, const std::string& digest);
  void CheckImmutable(const std::string& tag, const std::string& from, const core::Job& job);
  void CheckGeneration(const std::string& tag, const core::Job& job);
  void CheckPoisoned(const std::string& attempt_id);
  void CheckAcknowledged();
  void CheckEnd();
  bool EarlierTryWrote(const core::Job& job, const std::string& tag) const;
  bool Repeats(const std::string& job, const std::string& id) const;
  void CheckTagsAtEnd();
  void CheckWorkersAtEnd();
  std::shared_ptr<const core::JobSpec> RandomSpec();
  SimController* controller() {
    return controllers_.empty() || !controllers_.back()->alive() ? nullptr
                                                                 : controllers_.back().get();
  }

  RunContext run_;
  SimStore store_{&run_};
  SimRegistry registry_{&run_};
  std::vector<std::unique_ptr<SimController>> controllers_;  // The last one is the present one.
  std::vector<std::unique_ptr<SimWorker>> workers_;
  std::vector<ClientJob> clients_;
  std::map<std::string, int64_t> tag_generation_;    // Of the last writer of each tag.
  std::map<std::string, std::string> list_writers_;  // List → job.
  std::map<std::string, int> kills_;                 // By build: workers it has killed.
  int64_t checked_version_ = -1;
  RunResult result_;
};

}  // namespace manyarch::sim
