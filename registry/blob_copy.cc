#include "registry/blob_copy.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "registry/api_error.h"
#include "registry/url.h"

namespace manyarch::registry {

namespace {

constexpr size_t kPipeBytes = 4 << 20;
// Storing a large blob may take a registry a while, in which nothing moves.
constexpr absl::Duration kCommitTimeout = absl::Minutes(5);
constexpr int kMaxFreshStarts = 5;

// "0-41", also "bytes=0-41": 42; nullopt where it is no such thing.
std::optional<int64_t> EndOfRange(absl::string_view range) {
  absl::ConsumePrefix(&range, "bytes=");
  int64_t last = 0;
  if (!absl::ConsumePrefix(&range, "0-") || !absl::SimpleAtoi(range, &last)) return std::nullopt;
  // "0-0" is how an empty upload is told; one byte may be sent again.
  return last <= 0 ? 0 : last + 1;
}

}  // namespace

BlobCopy::BlobCopy(RegistryClient* client, const Reference& from, const Descriptor& blob,
                   const Reference& to, const BlobProgress& on_progress, const CallOptions& call)
    : client_(*client),
      from_(from),
      blob_(blob),
      to_(to),
      on_progress_(on_progress),
      call_(call),
      what_(absl::StrCat("copying blob ", blob.digest.ToString(), " from ", from.Repository(),
                         " to ", to.Repository())),
      read_scope_{from.registry, from.repository, false},
      write_scope_{to.registry, to.repository, true} {}

absl::Status BlobCopy::Run() {
  MA_ASSIGN_OR_RETURN(const bool there, client_.HeadBlob(to_, blob_, call_));
  if (there) {
    Arrived(blob_.size);
    return absl::OkStatus();
  }
  retrier_.emplace(client_.MakeRetrier(call_));
  absl::Status last = Open();
  while (true) {
    if (last.ok() && !done_) last = Transfer();
    if (last.ok() && !done_) last = Commit();
    if (last.ok() && done_) return absl::OkStatus();
    if (absl::IsAborted(last) && ++fresh_starts_ < kMaxFreshStarts) {
      url_.clear();
    } else if (!absl::IsUnavailable(last)) {
      return absl::IsAborted(last) ? absl::FailedPreconditionError(last.message()) : last;
    }
    const absl::Status pause = retrier_->Pause(std::exchange(retry_after_, std::nullopt));
    if (!pause.ok()) return client_.GiveUp(what_, last, pause, *retrier_);
    last = Resume();
  }
}

absl::Status BlobCopy::Open() {
  offset_ = 0;
  const bool mount =
      from_.registry == to_.registry && from_.repository != to_.repository && fresh_starts_ == 0;
  auto upload =
      client_.OpenUpload(what_, to_, mount ? from_.repository : "", blob_.digest, *retrier_);
  if (!upload.ok() && mount && !absl::IsUnavailable(upload.status())) {
    // It may be the mount alone that it does not like, e.g. for want of rights on the source.
    upload = client_.OpenUpload(what_, to_, "", blob_.digest, *retrier_);
  }
  MA_RETURN_IF_ERROR(upload.status());
  url_ = upload->url;
  done_ = upload->mounted;
  if (done_) Arrived(blob_.size);
  return absl::OkStatus();
}

absl::Status BlobCopy::Resume() {
  MA_ASSIGN_OR_RETURN(const bool there, client_.HeadBlob(to_, blob_, call_));
  if (there) {
    done_ = true;  // It had landed.
    Arrived(blob_.size);
    return absl::OkStatus();
  }
  if (url_.empty()) return Open();
  MA_ASSIGN_OR_RETURN(
      const Response status,
      client_.Exchange(what_, client_.MakeRequest("GET", url_), write_scope_, *retrier_));
  if (status.status / 100 != 2 || !TakeOffset(status)) return Open();
  MA_ASSIGN_OR_RETURN(url_, client_.NextUrl(url_, status));
  return absl::OkStatus();
}

bool BlobCopy::TakeOffset(const Response& response) {
  const std::optional<int64_t> end = EndOfRange(response.Header("range"));
  if (!end || *end > blob_.size) return false;
  offset_ = *end;
  Arrived(offset_);
  return true;
}

void BlobCopy::Arrived(int64_t bytes) {
  if (on_progress_) on_progress_(bytes);
  if (bytes <= most_) return;
  most_ = bytes;
  if (retrier_) retrier_.emplace(client_.MakeRetrier(call_));
}

absl::Status BlobCopy::Transfer() {
  // All may have come by before something else failed.
  if (hashed_ == blob_.size) MA_RETURN_IF_ERROR(CheckDigest());
  if (offset_ == blob_.size && digest_) return absl::OkStatus();
  BlobPipe pipe(kPipeBytes);
  absl::Status download;
  std::thread reader([&] {
    download = Download(pipe);
    pipe.CloseWriter(download);
  });
  // Not before the download flows: an upload that waits for one holds what the download may need.
  const absl::Status first = pipe.AwaitFirst();
  const absl::StatusOr<Response> response =
      first.ok() ? SendPatch(pipe) : absl::StatusOr<Response>(first);
  pipe.CloseReader();
  reader.join();
  if (!download.ok() && !absl::IsCancelled(download)) return download;
  if (!response.ok()) return Annotate(response.status(), what_);
  if (response->status == 401 && !std::exchange(renewed_, true)) {
    return absl::UnavailableError(absl::StrCat(what_, ": the token was not valid any more"));
  }
  retry_after_ = ParseRetryAfter(response->Header("retry-after"), client_.waiter_->Now());
  MA_RETURN_IF_ERROR(FailureOf(*response));
  MA_ASSIGN_OR_RETURN(url_, client_.NextUrl(url_, *response));
  if (response->Header("range").empty()) {
    offset_ = blob_.size;
    Arrived(offset_);
  } else if (!TakeOffset(*response) || offset_ < blob_.size) {
    return absl::UnavailableError(
        absl::StrCat(what_, ": the registry took ", offset_, " of ", blob_.size, " bytes"));
  }
  return absl::OkStatus();
}

absl::StatusOr<Response> BlobCopy::SendPatch(BlobPipe& pipe) {
  Request patch = client_.MakeRequest("PATCH", url_);
  patch.headers.emplace_back("Content-Type", "application/octet-stream");
  if (offset_ > 0) {
    patch.headers.emplace_back("Content-Range", absl::StrCat(offset_, "-", blob_.size - 1));
  }
  patch.deadline = call_.deadline;
  patch.source_size = blob_.size - offset_;
  int64_t sent = offset_;
  patch.source = [&](char* buffer, size_t size) -> absl::StatusOr<size_t> {
    MA_ASSIGN_OR_RETURN(const size_t count, pipe.Read(buffer, size));
    sent += static_cast<int64_t>(count);
    if (on_progress_) on_progress_(sent);
    return count;
  };
  return client_.authorizer_.Send(patch, write_scope_, client_.stop_);
}

absl::Status BlobCopy::FailureOf(const Response& response) const {
  if (response.status / 100 == 2) return absl::OkStatus();
  const absl::Status refusal = client_.Refusal(what_, response, write_scope_);
  if (IsRetriableStatus(response.status)) return refusal;
  switch (response.status) {
    case 400:  // The digest, or an upload that was changed under us.
    case 404:
    case 409:
    case 416:
      return absl::AbortedError(refusal.message());
    default:
      return refusal;
  }
}

absl::Status BlobCopy::Commit() {
  Request put = client_.MakeRequest("PUT", WithParameter(url_, "digest", blob_.digest.ToString()));
  put.headers.emplace_back("Content-Type", "application/octet-stream");
  put.timeout = retrier_->Timeout(kCommitTimeout);
  const absl::StatusOr<Response> response =
      client_.authorizer_.Send(put, write_scope_, client_.stop_);
  if (!response.ok()) return Annotate(response.status(), what_);
  retry_after_ = ParseRetryAfter(response->Header("retry-after"), client_.waiter_->Now());
  MA_RETURN_IF_ERROR(FailureOf(*response));
  done_ = true;
  return absl::OkStatus();
}

absl::Status BlobCopy::CheckDigest() {
  if (!digest_) digest_ = hash_->Finish();
  if (*digest_ == blob_.digest) return absl::OkStatus();
  return Spoilt(
      absl::StrCat("other bytes, whose digest is ", digest_->ToString(), "; push the image again"));
}

absl::Status BlobCopy::Spoilt(absl::string_view how) {
  absl::Status status =
      absl::AbortedError(absl::StrCat("reading blob ", blob_.digest.ToString(), " of ",
                                      from_.Repository(), ": the registry answered with ", how));
  hash_.emplace();
  hashed_ = 0;
  digest_.reset();
  return status;
}

absl::Status BlobCopy::Download(BlobPipe& pipe) {
  const std::string what =
      absl::StrCat("reading blob ", blob_.digest.ToString(), " of ", from_.Repository());
  Request get = client_.MakeRequest("GET", client_.Url(from_, "blobs", blob_.digest.ToString()));
  get.deadline = call_.deadline;
  const int64_t from = std::min(offset_, hashed_);  // Nothing goes by unhashed.
  if (from > 0) get.headers.emplace_back("Range", absl::StrCat("bytes=", from, "-"));
  int64_t position = -1;  // Of the next byte that comes.
  get.sink = [&](const Response& head, absl::string_view piece) -> absl::Status {
    if (position < 0) {
      position = head.status == 206 ? from : 0;
      const std::string range = head.Header("content-range");
      if (head.status == 206 && !absl::StartsWith(range, absl::StrCat("bytes ", from, "-"))) {
        return absl::FailedPreconditionError(
            absl::StrCat("the registry was asked for the bytes from ", from,
                         " on and answered with others ('", range, "')"));
      }
    }
    if (position + static_cast<int64_t>(piece.size()) > blob_.size) {
      return Spoilt(absl::StrCat("more than the ", blob_.size, " bytes it should have"));
    }
    const int64_t end = position + static_cast<int64_t>(piece.size());
    const auto behind = [&](int64_t mark) {
      return piece.substr(static_cast<size_t>(std::clamp(mark, position, end) - position));
    };
    // What was seen before is not hashed again, and what the other side has is not sent again.
    hash_->Update(behind(hashed_));
    hashed_ = std::max(hashed_, end);
    piece = behind(offset_);
    position = end;
    return piece.empty() ? absl::OkStatus() : pipe.Write(piece);
  };
  const absl::StatusOr<Response> response =
      client_.authorizer_.Send(get, read_scope_, client_.stop_);
  if (absl::IsAborted(response.status())) return response.status();
  if (!response.ok()) return Annotate(response.status(), what);
  if (response->status != 200 && response->status != 206) {
    return client_.Refusal(what, *response, read_scope_);
  }
  if (std::max<int64_t>(position, 0) < blob_.size) {
    return absl::UnavailableError(
        absl::StrCat(what, ": only ", position, " of ", blob_.size, " bytes came"));
  }
  return CheckDigest();
}

}  // namespace manyarch::registry
