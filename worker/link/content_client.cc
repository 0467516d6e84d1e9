#include "worker/link/content_client.h"

#include <poll.h>
#include <sys/eventfd.h>

#include <atomic>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/backoff.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "grpcpp/client_context.h"
#include "worker/link/channel.h"

namespace manyarch::worker::link {

namespace {

constexpr size_t kDigestsPerCall = 10'000;

// Cancels a call when `stop` is given, or when nothing came for too long. Lives as long as the
// call.
class CallWatch {
 public:
  CallWatch(grpc::ClientContext* context, const StopToken& stop, absl::Duration stalled)
      : done_(eventfd(0, EFD_CLOEXEC)), thread_([this, context, &stop, stalled] {
          pollfd fds[] = {{stop.fd(), POLLIN, 0}, {done_.get(), POLLIN, 0}};
          for (int64_t seen = -1; seen != beats_;) {
            seen = beats_;
            const int n = poll(fds, 2, static_cast<int>(absl::ToInt64Milliseconds(stalled)));
            if (fds[1].revents != 0) return;
            if (n > 0 && fds[0].revents != 0) break;
          }
          context->TryCancel();
        }) {}
  ~CallWatch() {
    eventfd_write(done_.get(), 1);
    thread_.join();
  }
  void Beat() { ++beats_; }

 private:
  UniqueFd done_;
  std::atomic<int64_t> beats_ = 0;
  std::thread thread_;
};

bool WorthAnotherCall(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
         absl::IsResourceExhausted(status) || absl::IsAborted(status);
}

}  // namespace

ContentClient::ContentClient(const std::string& target, Limits limits)
    : limits_(limits), target_(target), stub_(v1::Content::NewStub(NewChannel(target))) {}

absl::Status ContentClient::Fetch(absl::Span<const Digest> digests, const StopToken& stop,
                                  const Sink& sink) {
  const Backoff backoff{absl::Milliseconds(200), absl::Seconds(2), 2.0};
  int retry = 0;
  absl::Time progress = absl::Now();
  while (!digests.empty()) {
    size_t done = 0;
    const absl::Status status = Download(digests.subspan(0, kDigestsPerCall), stop, sink, &done);
    digests.remove_prefix(done);
    if (stop.stopped()) return absl::CancelledError(stop.reason());
    if (done > 0) {
      retry = 0;
      progress = absl::Now();
    }
    if (status.ok()) continue;
    const absl::Duration pause = backoff.Delay(retry++, 0.5);
    if (!WorthAnotherCall(status) || absl::Now() + pause > progress + limits_.patience) {
      return Annotate(status,
                      absl::StrCat("fetching the context from the controller at ", target_));
    }
    stop.WaitFor(pause);
  }
  return absl::OkStatus();
}

absl::Status ContentClient::Download(absl::Span<const Digest> digests, const StopToken& stop,
                                     const Sink& sink, size_t* done) {
  v1::DownloadRequest request;
  for (const Digest& digest : digests) request.add_digests(digest.ToString());
  request.add_accepts(v1::COMPRESSION_NONE);

  grpc::ClientContext context;
  CallWatch watch(&context, stop, limits_.stalled);
  const auto stream = stub_->Download(&context, request);
  const auto give_up = [&](absl::Status status) {
    context.TryCancel();
    static_cast<void>(stream->Finish());
    return status;
  };

  std::string bytes;
  v1::DownloadResponse piece;
  while (stream->Read(&piece)) {
    watch.Beat();
    if (*done == digests.size()) {
      return give_up(absl::InternalError("more blobs came than were asked for"));
    }
    const Digest& digest = digests[*done];
    if (bytes.empty() && piece.digest() != digest.ToString()) {
      return give_up(absl::InternalError(
          absl::StrCat("blob ", piece.digest(), " came instead of ", digest.ToString())));
    }
    if (piece.compression() != v1::COMPRESSION_NONE) {
      return give_up(absl::InternalError("a blob came compressed, which was not asked for"));
    }
    bytes += piece.data();
    if (static_cast<int64_t>(bytes.size()) > limits_.blob_bytes) {
      return give_up(absl::InternalError(absl::StrCat(
          "blob ", digest.ToString(), " is larger than ", limits_.blob_bytes, " bytes")));
    }
    if (!piece.last()) continue;
    if (absl::Status status = sink(digest, std::exchange(bytes, {})); !status.ok()) {
      return give_up(std::move(status));
    }
    ++*done;
  }
  const grpc::Status status = stream->Finish();
  if (status.ok()) {
    return *done == digests.size() ? absl::OkStatus()
                                   : absl::UnavailableError("the download ended early");
  }
  // Cancelled, but not by us: it was stalled, or the controller is stopping.
  if (status.error_code() == grpc::StatusCode::CANCELLED) {
    return absl::UnavailableError(
        absl::StrCat("nothing came for ", absl::FormatDuration(limits_.stalled)));
  }
  return absl::Status(static_cast<absl::StatusCode>(status.error_code()), Reason(status));
}

}  // namespace manyarch::worker::link
