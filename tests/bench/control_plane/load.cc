#include "tests/bench/control_plane/load.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "manyarch/v1/content.grpc.pb.h"

namespace manyarch::bench {

namespace {

// An empty directory: the smallest context.
std::string UploadContext(const std::string& address) {
  const std::string bytes = v1::Directory().SerializeAsString();
  const std::string digest = Digest::Of(bytes).ToString();
  const auto stub =
      v1::Content::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  v1::UploadResponse response;
  const auto writer = stub->Upload(&context, &response);
  v1::UploadRequest piece;
  piece.set_digest(digest);
  piece.set_last(true);
  writer->Write(piece);
  writer->WritesDone();
  return writer->Finish().ok() ? digest : "";
}

}  // namespace

Load::Load(Options options) : options_(std::move(options)) {
  root_ = UploadContext(options_.address);
  for (int i = 0; i < options_.threads; ++i) threads_.emplace_back([this, i] { Run(i); });
}

Load::~Load() {
  over_ = true;
  for (std::thread& thread : threads_) thread.join();
}

// Until the n-th build may be submitted; false: it is over.
bool Load::Wait(int64_t nth, absl::Time start) {
  while (!over_) {
    if (options_.rate > 0) {
      const absl::Duration early =
          start + absl::Seconds(static_cast<double>(nth) / options_.rate) - absl::Now();
      if (early <= absl::ZeroDuration()) return true;
      absl::SleepFor(std::min(early, absl::Milliseconds(50)));
    } else {
      if (nth - done_ < options_.depth) return true;
      absl::SleepFor(absl::Microseconds(500));
    }
  }
  return false;
}

void Load::Run(int thread) {
  grpc::ChannelArguments arguments;
  arguments.SetInt("client", thread);
  const auto stub = v1::Farm::NewStub(
      grpc::CreateCustomChannel(options_.address, grpc::InsecureChannelCredentials(), arguments));
  const int64_t builds = static_cast<int64_t>(options_.architectures.size());
  const absl::Time start = absl::Now();
  while (true) {
    const int64_t nth = begun_.fetch_add(builds);
    if (!Wait(nth, start)) return;
    v1::SubmitRequest request;
    v1::JobSpec& spec = *request.mutable_spec();
    spec.add_tags(absl::StrCat("registry.bench/team", nth % 50, "/app:", nth));
    for (const std::string& arch : options_.architectures) {
      v1::Platform& platform = *spec.add_platforms()->mutable_platform();
      platform.set_os("linux");
      platform.set_arch(arch);
    }
    spec.set_context_root(root_);
    *spec.mutable_unschedulable_after() = google::protobuf::Duration();
    request.set_idempotency_key(absl::StrCat("bench-key-", nth));
    request.set_request_hash(Digest::Of(spec.SerializeAsString()).ToString());
    v1::SubmitResponse response;
    grpc::ClientContext context;
    const absl::Time called = absl::Now();
    const grpc::Status status = stub->Submit(&context, request, &response);
    if (!status.ok()) {
      absl::MutexLock lock(&mutex_);
      error_ = status.error_message();
      over_ = true;
      return;
    }
    submitted_ += builds;
    absl::MutexLock lock(&mutex_);
    Seen& seen = half_seen_[response.job().id()];
    seen.submitted = called;
    if (seen.offered != absl::InfinitePast()) {
      latencies_.push_back(seen.offered - called);
      half_seen_.erase(response.job().id());
    }
  }
}

void Load::Offered(const std::string& job_id) {
  const absl::Time now = absl::Now();
  absl::MutexLock lock(&mutex_);
  Seen& seen = half_seen_[job_id];
  if (seen.offered == absl::InfinitePast()) seen.offered = now;
  if (seen.submitted != absl::InfinitePast()) {
    latencies_.push_back(seen.offered - seen.submitted);
    // The job's other builds are offered as well; what they leave here is small.
    half_seen_.erase(job_id);
  }
}

std::vector<absl::Duration> Load::TakeLatencies() {
  absl::MutexLock lock(&mutex_);
  return std::exchange(latencies_, {});
}

}  // namespace manyarch::bench
