#include "worker/link/content_client.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <zstd.h>

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

bool WorthAnotherCall(grpc::StatusCode code) {
  // CANCELLED, but not by whoever wants the blobs: it stalled, or the controller is stopping.
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::RESOURCE_EXHAUSTED || code == grpc::StatusCode::ABORTED ||
         code == grpc::StatusCode::CANCELLED;
}

}  // namespace

// Puts pieces together to the blobs that were asked for.
class ContentClient::Assembly {
 public:
  Assembly(absl::Span<const Digest> digests, int64_t limit, const Sink& sink)
      : digests_(digests), limit_(limit), sink_(sink) {}

  absl::Status Take(const v1::DownloadResponse& piece) {
    if (done_ == digests_.size()) return absl::InternalError("more blobs came than were asked for");
    const Digest& digest = digests_[done_];
    if (!std::exchange(inside_, true)) {
      if (piece.digest() != digest.ToString()) {
        return absl::InternalError(
            absl::StrCat("blob '", piece.digest(), "' came instead of ", digest.ToString()));
      }
      compression_ = piece.compression();
      size_ = piece.size();
      if (compression_ != v1::COMPRESSION_NONE && compression_ != v1::COMPRESSION_ZSTD) {
        return absl::InternalError("a blob came compressed in a way that was not asked for");
      }
      if (size_ < 0 || size_ > limit_) return TooLarge(digest);
    }
    bytes_ += piece.data();
    if (static_cast<int64_t>(bytes_.size()) > limit_) return TooLarge(digest);
    if (!piece.last()) return absl::OkStatus();
    inside_ = false;
    if (compression_ == v1::COMPRESSION_ZSTD) MA_RETURN_IF_ERROR(Decompress(digest));
    MA_RETURN_IF_ERROR(sink_(digest, std::exchange(bytes_, {})));
    ++done_;
    return absl::OkStatus();
  }
  size_t done() const { return done_; }

 private:
  absl::Status TooLarge(const Digest& digest) const {
    return absl::InternalError(
        absl::StrCat("blob ", digest.ToString(), " is larger than ", limit_, " bytes"));
  }

  absl::Status Decompress(const Digest& digest) {
    std::string plain(static_cast<size_t>(size_), '\0');
    const size_t n = ZSTD_decompress(plain.data(), plain.size(), bytes_.data(), bytes_.size());
    if (ZSTD_isError(n) != 0U || n != plain.size()) {
      return absl::InternalError(
          absl::StrCat("blob ", digest.ToString(), " cannot be decompressed: ",
                       ZSTD_isError(n) != 0U ? ZSTD_getErrorName(n) : "it is shorter than told"));
    }
    bytes_ = std::move(plain);
    return absl::OkStatus();
  }

  const absl::Span<const Digest> digests_;
  const int64_t limit_;
  const Sink& sink_;
  size_t done_ = 0;
  bool inside_ = false;                                 // A blob.
  v1::Compression compression_ = v1::COMPRESSION_NONE;  // Of that blob.
  int64_t size_ = 0;                                    // As it was before that.
  std::string bytes_;
};

ContentClient::ContentClient(const std::string& target, Limits limits)
    : limits_(limits), target_(target), stub_(v1::Content::NewStub(NewChannel(target))) {}

absl::Status ContentClient::Fetch(absl::Span<const Digest> digests, const StopToken& stop,
                                  const Sink& sink) {
  const std::string what = absl::StrCat("fetching the context from the controller at ", target_);
  const Backoff backoff{absl::Milliseconds(200), absl::Seconds(2), 2.0};
  int retry = 0;
  absl::Time progress = absl::Now();
  while (!digests.empty()) {
    Assembly assembly(digests.subspan(0, kDigestsPerCall), limits_.blob_bytes, sink);
    const auto [ours, theirs] = Download(digests.subspan(0, kDigestsPerCall), stop, assembly);
    digests.remove_prefix(assembly.done());
    if (stop.stopped()) return absl::CancelledError(stop.reason());
    MA_RETURN_IF_ERROR(Annotate(ours, what));
    if (assembly.done() > 0) {
      retry = 0;
      progress = absl::Now();
    }
    if (theirs.ok()) continue;
    const absl::Duration pause = backoff.Delay(retry++, 0.5);
    if (!WorthAnotherCall(theirs.error_code()) ||
        absl::Now() + pause > progress + limits_.patience) {
      return Annotate(
          absl::Status(static_cast<absl::StatusCode>(theirs.error_code()), Reason(theirs)), what);
    }
    stop.WaitFor(pause);
  }
  return absl::OkStatus();
}

ContentClient::Outcome ContentClient::Download(absl::Span<const Digest> digests,
                                               const StopToken& stop, Assembly& assembly) {
  v1::DownloadRequest request;
  for (const Digest& digest : digests) request.add_digests(digest.ToString());
  request.add_accepts(v1::COMPRESSION_NONE);
  request.add_accepts(v1::COMPRESSION_ZSTD);

  grpc::ClientContext context;
  CallWatch watch(&context, stop, limits_.stalled);
  const auto stream = stub_->Download(&context, request);
  v1::DownloadResponse piece;
  absl::Status taken;
  while (taken.ok() && stream->Read(&piece)) {
    taken = assembly.Take(piece);
    watch.Beat();
  }
  if (!taken.ok()) context.TryCancel();
  grpc::Status ended = stream->Finish();
  if (taken.ok() && ended.ok() && assembly.done() < digests.size()) {
    ended = grpc::Status(grpc::StatusCode::UNAVAILABLE, "the download ended early");
  }
  return {std::move(taken), std::move(ended)};
}

}  // namespace manyarch::worker::link
