#include "controller/adapters.h"

#include <algorithm>
#include <cstdlib>
#include <set>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/host.h"
#include "controller/clock.h"
#include "controller/rpc/submission.h"
#include "controller/wire/convert.h"
#include "registry/auth_file.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller {

namespace {

constexpr int64_t kLargestContainerfile = int64_t{1} << 20;  // Of one outside the context.
// How long a submission may wait for the registries before it is told that there are none.
constexpr absl::Duration kPreflightTime = absl::Seconds(10);
constexpr absl::Duration kPreflightTimeEach = absl::Milliseconds(200);  // More, for each reference.

registry::Format FormatOf(v1::ImageFormat format) {
  return format == v1::IMAGE_FORMAT_OCI ? registry::Format::kOci : registry::Format::kDocker;
}

v1::DestinationCheck::Result ToProto(registry::DestinationCheck::Result result) {
  switch (result) {
    case registry::DestinationCheck::Result::kOk:
      return v1::DestinationCheck::RESULT_OK;
    case registry::DestinationCheck::Result::kWarning:
      return v1::DestinationCheck::RESULT_WARNING;
    case registry::DestinationCheck::Result::kFailed:
      return v1::DestinationCheck::RESULT_FAILED;
    case registry::DestinationCheck::Result::kSkipped:
      return v1::DestinationCheck::RESULT_SKIPPED;
  }
  return v1::DestinationCheck::RESULT_UNSPECIFIED;
}

// What a job's secrets are sealed under.
constexpr char kSecretName[] = "secret/";
constexpr char kSshName[] = "ssh/";
constexpr char kAuthfileName[] = "authfile";

class StoreUpload : public rpc::BlobUpload {
 public:
  StoreUpload(ContentStore* store, const DiskRoom* room) : upload_(store), room_(room) {}
  absl::Status Add(const Digest& digest, absl::string_view bytes) override {
    MA_RETURN_IF_ERROR(room_->ForNew());
    return upload_.Add(digest, bytes);
  }
  absl::Status Commit() override { return upload_.Commit(); }

 private:
  ContentStore::Upload upload_;
  const DiskRoom* const room_;
};

// Nothing where the disk cannot be asked: writing will tell.
absl::Status CheckRoom(const std::string& dir, const MinFree& min_free, int64_t divisor) {
  const absl::StatusOr<DiskSpace> disk = DiskSpaceAt(dir);
  if (!disk.ok() || disk->free >= min_free.Of(*disk) / divisor) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat(
      "the controller's disk has only ", ShowBytes(disk->free), " of ", ShowBytes(disk->size),
      " free, so it takes nothing new; free some space in ", dir, ", or lower --min-free"));
}

}  // namespace

absl::Status DiskRoom::ForNew() const { return CheckRoom(dir_, min_free_, 1); }
absl::Status DiskRoom::ForLogs() const { return CheckRoom(dir_, min_free_, 2); }

template <typename E>
rpc::CallPort::Reply Calls::PostAndWait(E event, absl::Time deadline) {
  const auto waiting = std::make_shared<Waiting>();
  {
    absl::MutexLock lock(&mutex_);
    event.call = ++last_;
    waiting_[event.call] = waiting;
  }
  const core::CallId call = event.call;
  events_->Post(std::move(event));
  waiting->answered.WaitForNotificationWithDeadline(deadline);
  absl::MutexLock lock(&mutex_);
  waiting_.erase(call);
  if (waiting->answered.HasBeenNotified()) return waiting->reply;
  return {
      absl::DeadlineExceededError(
          "the controller did not answer in time; the outcome is not known. Ask again: the same "
          "request is never carried out twice"),
      "",
      false,
      {}};
}

rpc::CallPort::Reply Calls::Call(core::Submit event, absl::Time deadline) {
  return PostAndWait(std::move(event), deadline);
}

rpc::CallPort::Reply Calls::Call(core::Cancel event, absl::Time deadline) {
  return PostAndWait(std::move(event), deadline);
}

rpc::CallPort::Reply Calls::Call(core::Explain event, absl::Time deadline) {
  return PostAndWait(std::move(event), deadline);
}

rpc::CallPort::Reply Calls::Call(core::SetAdmission event, absl::Time deadline) {
  return PostAndWait(std::move(event), deadline);
}

void Calls::Settle(core::CallId call, Reply reply) {
  absl::MutexLock lock(&mutex_);
  const auto it = waiting_.find(call);
  if (it == waiting_.end()) return;
  it->second->reply = std::move(reply);
  it->second->answered.Notify();
}

void Calls::Answer(const core::Answer& answer) {
  Settle(answer.call, {answer.status, answer.job_id, answer.existed, {}});
}

void Calls::Answer(const core::Explained& answer) {
  Settle(answer.call, {answer.status, "", false, answer.builds});
}

absl::StatusOr<v1::Job> JobReader::Get(absl::string_view id_or_prefix) {
  if (auto live = board_->Find(std::string(id_or_prefix))) return *std::move(live);
  MA_ASSIGN_OR_RETURN(v1::Job stored, store_->GetJob(id_or_prefix));
  // The board may be ahead with what happens inside attempts.
  if (auto live = board_->Find(stored.id())) return *std::move(live);
  return stored;
}

absl::StatusOr<std::optional<v1::Job>> JobReader::Await(const std::string& id, int64_t seen,
                                                        absl::Time deadline) {
  if (board_->Has(id)) return board_->Await(id, seen, deadline);
  MA_ASSIGN_OR_RETURN(v1::Job stored, store_->GetJob(id));
  return std::optional(std::move(stored));
}

absl::StatusOr<std::vector<v1::Job>> JobReader::List(const v1::ListJobsRequest& request) {
  MA_ASSIGN_OR_RETURN(std::vector<v1::Job> jobs, store_->ListJobs(request));
  for (v1::Job& job : jobs) {
    if (auto live = board_->Find(job.id())) job = *std::move(live);
  }
  return jobs;
}

absl::StatusOr<std::optional<std::pair<std::string, std::string>>> JobReader::FindSubmission(
    absl::string_view key) {
  MA_ASSIGN_OR_RETURN(const std::optional<KnownSubmission> known, store_->FindSubmission(key));
  if (!known) return std::optional<std::pair<std::string, std::string>>();
  return std::optional(std::make_pair(known->job_id, known->request_hash));
}

std::unique_ptr<rpc::BlobUpload> ContentAccess::BeginUpload() {
  return std::make_unique<StoreUpload>(store_, room_);
}

v1::ContextLimits ContentAccess::Limits() {
  v1::ContextLimits limits;
  limits.set_bytes(store_->limits().bytes);
  limits.set_entries(store_->limits().entries);
  limits.set_depth(store_->limits().depth);
  return limits;
}

absl::Status ContentAccess::CheckContexts(const v1::JobSpec& spec) {
  MA_ASSIGN_OR_RETURN(const Digest root, Digest::Parse(spec.context_root()));
  MA_RETURN_IF_ERROR(store_->CheckTree(root));
  for (const v1::NamedContext& context : spec.options().contexts()) {
    if (!context.has_root()) continue;
    MA_ASSIGN_OR_RETURN(const Digest named, Digest::Parse(context.root()));
    MA_RETURN_IF_ERROR(Annotate(store_->CheckTree(named),
                                absl::StrCat("the context named '", context.name(), "'")));
  }
  if (spec.options().containerfile_digest().empty()) return absl::OkStatus();
  MA_ASSIGN_OR_RETURN(const Digest beside, Digest::Parse(spec.options().containerfile_digest()));
  return store_->CheckBlob(beside, "the Containerfile", kLargestContainerfile);
}

absl::Status RegistryAccess::Preflight(const v1::JobSpec& spec, const std::string& authfile,
                                       const std::set<std::string>& written_before) {
  registry::PreflightOptions options;
  options.format = FormatOf(spec.format());
  options.immutable = spec.immutable();
  options.written_before = written_before;
  std::vector<std::string> references(spec.tags().begin(), spec.tags().end());
  if (spec.immutable()) {
    for (const registry::Reference& tag : rpc::ArchTagsOf(spec)) {
      references.push_back(tag.ToString());
    }
  }
  MA_ASSIGN_OR_RETURN(
      const std::vector<registry::DestinationCheck> checks,
      publisher_->CheckDestinations(
          references, std::move(options), authfile,
          absl::Now() + kPreflightTime + static_cast<int>(references.size()) * kPreflightTimeEach));
  absl::Status failure = registry::FirstFailure(checks);
  if (authfile.empty() && (absl::IsUnauthenticated(failure) || absl::IsPermissionDenied(failure))) {
    failure = absl::Status(
        failure.code(), absl::StrCat(failure.message(),
                                     "; or give the job credentials of its own with --authfile"));
  }
  const auto failed = std::find_if(checks.begin(), checks.end(), [](const auto& check) {
    return check.result == registry::DestinationCheck::Result::kFailed;
  });
  if (failed != checks.end() && failed->what == "tag" &&
      std::find(spec.tags().begin(), spec.tags().end(), failed->reference) == spec.tags().end()) {
    failure = absl::Status(
        failure.code(),
        absl::StrCat(failure.message(),
                     " (a per-architecture tag: --arch-tags gives others, and off writes none)"));
  }
  // On the wire UNIMPLEMENTED means that the controller does not know the call.
  if (absl::IsUnimplemented(failure)) return absl::FailedPreconditionError(failure.message());
  return failure;
}

absl::StatusOr<v1::CheckDestinationsResponse> RegistryAccess::CheckDestinations(
    const v1::CheckDestinationsRequest& request) {
  registry::PreflightOptions options;
  options.format = FormatOf(request.format());
  MA_ASSIGN_OR_RETURN(const std::vector<registry::DestinationCheck> checks,
                      publisher_->CheckDestinations(
                          {request.references().begin(), request.references().end()},
                          std::move(options), request.authfile(), absl::Now() + kPreflightTime));
  v1::CheckDestinationsResponse response;
  for (const registry::DestinationCheck& check : checks) {
    v1::DestinationCheck& proto = *response.add_checks();
    proto.set_reference(check.reference);
    proto.set_what(check.what);
    proto.set_result(ToProto(check.result));
    proto.set_message(check.message);
  }
  return response;
}

bool RegistryAccess::IsLocal(const v1::WorkerDescription& worker) {
  static const std::string network = NetworkIdentity();
  return !network.empty() && worker.network() == network;
}

absl::StatusOr<std::vector<core::SealedSecret>> SecretAccess::Seal(const std::string& job_id,
                                                                   const rpc::JobSecrets& secrets) {
  std::vector<core::SealedSecret> sealed;
  const auto add = [&](const std::string& name, const std::string& value) -> absl::Status {
    MA_ASSIGN_OR_RETURN(std::string bytes, sealer_.Seal(job_id, name, value));
    sealed.push_back({name, std::move(bytes)});
    return absl::OkStatus();
  };
  for (const v1::Secret& secret : secrets.secrets) {
    MA_RETURN_IF_ERROR(add(kSecretName + secret.id(), secret.value()));
  }
  for (const v1::Secret& key : secrets.ssh_keys) {
    MA_RETURN_IF_ERROR(add(kSshName + key.id(), key.value()));
  }
  if (!secrets.authfile.empty()) {
    // The credentials and nothing else: a worker's buildah might understand more of the text than
    // we do (it takes "CREDHELPERS" for what names programs).
    MA_ASSIGN_OR_RETURN(const auto file, registry::AuthFile::Parse(secrets.authfile));
    MA_RETURN_IF_ERROR(add(kAuthfileName, registry::WriteAuthFile(file.Entries())));
  }
  return sealed;
}

absl::StatusOr<rpc::JobSecrets> SecretAccess::Unseal(
    const std::string& job_id, const std::vector<core::SealedSecret>& sealed) {
  rpc::JobSecrets secrets;
  for (const core::SealedSecret& one : sealed) {
    MA_ASSIGN_OR_RETURN(std::string value, sealer_.Unseal(job_id, one.name, one.bytes));
    absl::string_view name = one.name;
    v1::Secret* secret = nullptr;
    if (absl::ConsumePrefix(&name, kSecretName)) {
      secret = &secrets.secrets.emplace_back();
    } else if (absl::ConsumePrefix(&name, kSshName)) {
      secret = &secrets.ssh_keys.emplace_back();
    } else {
      secrets.authfile = std::move(value);
      continue;
    }
    secret->set_id(std::string(name));
    secret->set_value(std::move(value));
  }
  return secrets;
}

absl::StatusOr<std::string> SecretAccess::AuthfileOf(const std::string& job_id) {
  MA_ASSIGN_OR_RETURN(const std::vector<core::SealedSecret> sealed, store_->SecretsOf(job_id));
  // Not the controller's in their place: they may be allowed what the job's are not.
  if (sealed.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job_id, " has ended, and its credentials are gone"));
  }
  for (const core::SealedSecret& one : sealed) {
    if (one.name == kAuthfileName) return sealer_.Unseal(job_id, one.name, one.bytes);
  }
  return "";
}

core::Now LoopAdapter::now() { return ReadClocks(); }

absl::Status LoopAdapter::Commit(const core::Farm& farm, const core::Effects& effects) {
  Batch batch;
  std::set<std::string> jobs(effects.jobs.begin(), effects.jobs.end());
  jobs.insert(effects.progress.begin(), effects.progress.end());
  committed_.clear();
  for (const std::string& id : jobs) {
    const core::Job* job = farm.FindJob(id);
    if (job == nullptr) continue;
    v1::StoredJob& stored = committed_[id];
    stored = wire::ToStored(*job);
    batch.jobs.push_back({job, &stored});
  }
  for (const std::string& id : effects.workers) {
    if (const core::Worker* worker = farm.FindWorker(id)) batch.workers.push_back(worker);
  }
  for (const std::string& reference : effects.tags) {
    if (const core::TagOwner* owner = farm.FindTag(reference)) {
      batch.tags.emplace_back(reference, *owner);
    }
  }
  for (const core::BuildKind& kind : effects.estimates) {
    batch.estimates.emplace_back(kind, farm.estimates().Find(kind));
  }
  return store_->Commit(batch);
}

void LoopAdapter::Show(const core::Farm& farm, const core::Effects& effects) {
  std::set<std::string> jobs(effects.jobs.begin(), effects.jobs.end());
  jobs.insert(effects.progress.begin(), effects.progress.end());
  for (const std::string& id : jobs) {
    const core::Job* job = farm.FindJob(id);
    if (job == nullptr) continue;
    const auto committed = committed_.find(id);
    board_->Update(*job, committed == committed_.end()
                             ? wire::ToProto(*job)
                             : std::move(*committed->second.mutable_job()));
  }
  committed_.clear();
  std::set<std::string> workers(effects.workers.begin(), effects.workers.end());
  workers.insert(effects.workers_shown.begin(), effects.workers_shown.end());
  for (const std::string& id : workers) {
    if (const core::Worker* worker = farm.FindWorker(id)) board_->UpdateWorker(*worker);
  }
}

void LoopAdapter::CarryOut(const core::Effect& effect) {
  struct Visitor {
    LoopAdapter* self;
    void operator()(const core::Answer& e) { self->calls_->Answer(e); }
    void operator()(const core::Explained& e) { self->calls_->Answer(e); }
    void operator()(const core::SendHelloAnswer& e) { self->sessions_->CarryOut(e); }
    void operator()(const core::SendOffer& e) { self->sessions_->CarryOut(e); }
    void operator()(const core::SendAbandon& e) { self->sessions_->CarryOut(e); }
    void operator()(const core::SendAcknowledged& e) { self->sessions_->CarryOut(e); }
    void operator()(const core::CloseSession& e) { self->sessions_->CarryOut(e); }
    void operator()(const core::CheckImage& e) { self->publisher_->CarryOut(e); }
    void operator()(const core::WriteAnchor& e) { self->publisher_->CarryOut(e); }
    void operator()(const core::Publish& e) { self->publisher_->CarryOut(e); }
  };
  std::visit(Visitor{this}, effect);
}

void LoopAdapter::Flush() { sessions_->Flush(); }

void LoopAdapter::StartOver(const absl::Status& why) {
  if (absl::IsAborted(why)) {
    spdlog::critical("{}", std::string(why.message()));
    std::_Exit(EXIT_FAILURE);
  }
  spdlog::error("starting over from the store: {}", std::string(why.message()));
  publisher_->StartOver();
  committed_.clear();
  board_->Clear();
  sessions_->CloseAll(
      absl::UnavailableError(absl::StrCat("the controller had to start over: ", why.message())),
      /*for_good=*/false);
}

}  // namespace manyarch::controller
