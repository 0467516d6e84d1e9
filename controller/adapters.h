// The ports of the services and the loop, filled in with the parts that do the work.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/base/status_macros.h"
#include "common/os/disk.h"
#include "controller/board.h"
#include "controller/content/content_store.h"
#include "controller/logs/log_store.h"
#include "controller/loop.h"
#include "controller/publish/publisher.h"
#include "controller/registries.h"
#include "controller/rpc/ports.h"
#include "controller/rpc/worker_sessions.h"
#include "controller/secrets/sealer.h"
#include "controller/store/store.h"

namespace manyarch::controller {

// Hands events to the loop.
class LoopEvents : public rpc::EventPort {
 public:
  void Attach(Loop* loop) { loop_ = loop; }
  void Post(core::Event event) override { loop_->Post(std::move(event)); }

 private:
  Loop* loop_ = nullptr;
};

// Callers that wait for the loop's answer. Thread-safe.
class Calls : public rpc::CallPort {
 public:
  explicit Calls(rpc::EventPort* events) : events_(events) {}
  Reply Call(core::Submit event, absl::Time deadline) override;
  Reply Call(core::Cancel event, absl::Time deadline) override;
  Reply Call(core::Explain event, absl::Time deadline) override;
  Reply Call(core::SetAdmission event, absl::Time deadline) override;
  void Answer(const core::Answer& answer);
  void Answer(const core::Explained& answer);

 private:
  // A notification each: with one condition for all, every answer would wake every caller.
  struct Waiting {
    absl::Notification answered;
    Reply reply;
  };
  void Settle(core::CallId call, Reply reply);
  template <typename E>
  Reply PostAndWait(E event, absl::Time deadline);

  rpc::EventPort* const events_;
  absl::Mutex mutex_;
  core::CallId last_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::flat_hash_map<core::CallId, std::shared_ptr<Waiting>> waiting_ ABSL_GUARDED_BY(mutex_);
};

// Jobs from the board, where they are live, else from the store.
class JobReader : public rpc::JobPort {
 public:
  JobReader(Board* board, Store* store) : board_(board), store_(store) {}
  absl::StatusOr<v1::Job> Get(absl::string_view id_or_prefix) override;
  absl::StatusOr<std::optional<v1::Job>> Await(const std::string& id, int64_t seen,
                                               absl::Time deadline) override;
  absl::StatusOr<std::vector<v1::Job>> List(const v1::ListJobsRequest& request) override;
  absl::StatusOr<std::optional<std::pair<std::string, std::string>>> FindSubmission(
      absl::string_view key) override;
  std::vector<v1::Worker> Workers() override { return board_->Workers(); }

 private:
  Board* const board_;
  Store* const store_;
};

// How full the state directory's disk may get: submissions and contexts are refused first, logs
// stay with their workers next, and what is left is for the states of jobs. Thread-safe.
class DiskRoom {
 public:
  DiskRoom(std::string dir, MinFree min_free) : dir_(std::move(dir)), min_free_(min_free) {}
  // RESOURCE_EXHAUSTED where there is too little.
  absl::Status ForNew() const;
  absl::Status ForLogs() const;

 private:
  const std::string dir_;
  const MinFree min_free_;
};

class LogAccess : public rpc::LogPort {
 public:
  void Attach(LogStore* logs, const DiskRoom* room) {
    logs_ = logs;
    room_ = room;
  }
  absl::StatusOr<int64_t> Append(const std::string& attempt_id, int64_t offset,
                                 absl::string_view data) override {
    MA_RETURN_IF_ERROR(room_->ForLogs());
    return logs_->Append(attempt_id, offset, data);
  }
  int64_t Size(const std::string& attempt_id) override { return logs_->Size(attempt_id); }
  absl::Status Sync(const std::string& attempt_id) override { return logs_->Sync(attempt_id); }
  absl::StatusOr<std::string> Read(const std::string& attempt_id, int64_t offset,
                                   size_t limit) override {
    return logs_->Read(attempt_id, offset, limit);
  }
  absl::StatusOr<int64_t> OffsetOfTail(const std::string& attempt_id, int64_t lines) override {
    return logs_->OffsetOfTail(attempt_id, lines);
  }
  absl::StatusOr<int64_t> OffsetSince(const std::string& attempt_id, absl::Time since) override {
    return logs_->OffsetSince(attempt_id, since);
  }
  void AwaitMore(const std::string& attempt_id, int64_t offset, bool knows_end,
                 absl::Time deadline) override {
    logs_->AwaitMore(attempt_id, offset, knows_end, deadline);
  }
  void End(const std::string& attempt_id) override { logs_->End(attempt_id); }

 private:
  LogStore* logs_ = nullptr;
  const DiskRoom* room_ = nullptr;
};

class ContentAccess : public rpc::ContentPort {
 public:
  ContentAccess(ContentStore* store, const DiskRoom* room) : store_(store), room_(room) {}
  bool Has(const Digest& digest) override { return store_->Has(digest); }
  absl::StatusOr<std::string> Get(const Digest& digest) override { return store_->Get(digest); }
  std::unique_ptr<rpc::BlobUpload> BeginUpload() override;
  absl::Status CheckRoom() override { return room_->ForNew(); }
  absl::Status CheckContexts(const v1::JobSpec& spec) override;
  v1::ContextLimits Limits() override;

 private:
  ContentStore* const store_;
  const DiskRoom* const room_;
};

class RegistryAccess : public rpc::RegistryPort {
 public:
  RegistryAccess(const Registries* registries, publish::Publisher* publisher)
      : registries_(registries), publisher_(publisher) {}
  absl::Status Preflight(const v1::JobSpec& spec, const std::string& authfile,
                         const std::set<std::string>& written_before) override;
  absl::StatusOr<v1::CheckDestinationsResponse> CheckDestinations(
      const v1::CheckDestinationsRequest& request) override;
  bool IsLocal(const v1::WorkerDescription& worker) override;
  v1::RegistryAccess AccessFor(const std::string& repository) override {
    return registries_->AccessFor(repository);
  }

 private:
  const Registries* const registries_;
  publish::Publisher* const publisher_;
};

// Seals the values that come with jobs, each under its own name. Thread-safe.
class SecretAccess : public rpc::SecretPort {
 public:
  SecretAccess(Sealer sealer, Store* store) : sealer_(std::move(sealer)), store_(store) {}
  absl::StatusOr<std::vector<core::SealedSecret>> Seal(const std::string& job_id,
                                                       const rpc::JobSecrets& secrets) override;
  absl::StatusOr<rpc::JobSecrets> Unseal(const std::string& job_id,
                                         const std::vector<core::SealedSecret>& sealed) override;
  // The credentials that came with a live job that has sealed values; empty: there are none among
  // them. FAILED_PRECONDITION: it has ended.
  absl::StatusOr<std::string> AuthfileOf(const std::string& job_id);

 private:
  const Sealer sealer_;
  Store* const store_;
};

// Joins the loop to the store, the board, the sessions and the publisher.
class LoopAdapter : public EnginePorts {
 public:
  LoopAdapter(Store* store, Board* board, Calls* calls, rpc::WorkerSessions* sessions,
              publish::Publisher* publisher)
      : store_(store), board_(board), calls_(calls), sessions_(sessions), publisher_(publisher) {}

  core::Now now() override;
  absl::StatusOr<core::FarmState> Load() override { return store_->Load(); }
  absl::Status Commit(const core::Farm& farm, const core::Effects& effects) override;
  void Show(const core::Farm& farm, const core::Effects& effects) override;
  void CarryOut(const core::Effect& effect) override;
  void Flush() override;
  void StartOver(const absl::Status& why) override;

 private:
  Store* const store_;
  Board* const board_;
  Calls* const calls_;
  rpc::WorkerSessions* const sessions_;
  publish::Publisher* const publisher_;
  std::map<std::string, v1::StoredJob> committed_;  // To be shown, once each.
};

}  // namespace manyarch::controller
