#include "cli/submit.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "cli/context/upload.h"
#include "cli/reconnect.h"
#include "common/base/digest.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace manyarch::cli {

namespace {

constexpr absl::Duration kPatience = absl::Minutes(2);

std::string Bytes(int64_t n) {
  if (n < 10'000) return absl::StrCat(n, " B");
  const double kib = static_cast<double>(n) / 1024;
  return kib < 10'000 ? absl::StrFormat("%.0f KiB", kib) : absl::StrFormat("%.0f MiB", kib / 1024);
}

ContentCalls CallsOf(Client& client) {
  return {[&client](const v1::FindMissingRequest& request) { return client.FindMissing(request); },
          [&client](int64_t bytes,
                    const std::function<absl::StatusOr<bool>(v1::UploadRequest&)>& next) {
            // Even a slow line moves 64 KiB a second.
            const absl::Duration timeout = absl::Minutes(5) + absl::Seconds(bytes >> 16);
            return client.Upload(timeout, next);
          }};
}

// Calls `step` until it succeeds, fails for good, or has failed for too long.
template <typename T>
absl::StatusOr<T> OverOutages(const std::function<absl::StatusOr<T>()>& step) {
  absl::Time start = absl::Now();
  for (int retry = 0;; ++retry) {
    const absl::Time begun = absl::Now();
    absl::StatusOr<T> result = step();
    // What took so long was an upload that was under way: the outage begins with its end.
    if (absl::Now() - begun > absl::Seconds(10)) {
      start = absl::Now();
      retry = 0;
    }
    const absl::Duration pause = kReconnect.Delay(retry, 0.5);
    if (!IsUnreachable(result.status()) || absl::Now() + pause > start + kPatience) return result;
    absl::SleepFor(pause);
  }
}

// Before anything is sent: the controller would refuse the whole of it afterwards.
absl::Status CheckLimits(const std::vector<ContextTree>& trees, const v1::ContextLimits& limits) {
  const auto check = [](absl::string_view what, int64_t have, int64_t limit) -> absl::Status {
    if (limit <= 0 || have <= limit) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        "the context ", what, ", which is more than the controller takes (", limit,
        "): leave out what the build does not need with .containerignore, or have the controller's "
        "limits raised"));
  };
  for (const ContextTree& tree : trees) {
    MA_RETURN_IF_ERROR(
        check(absl::StrCat("has ", tree.bytes, " bytes"), tree.bytes, limits.bytes()));
    MA_RETURN_IF_ERROR(check(absl::StrCat("has ", tree.entries, " files, directories and links"),
                             tree.entries, limits.entries()));
    MA_RETURN_IF_ERROR(
        check(absl::StrCat("is ", tree.depth, " directories deep"), tree.depth, limits.depth()));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<v1::Job> SubmitJob(Client& client, Progress& progress, v1::SubmitRequest request,
                                  const std::vector<ContextTree>& trees,
                                  const std::function<void()>& before_submit) {
  const auto send = [&](bool check_all) { return UploadTrees(trees, check_all, CallsOf(client)); };
  // A controller that never answered is most likely not running, or elsewhere: no use in waiting.
  MA_ASSIGN_OR_RETURN(const v1::GetInfoResponse info, client.GetInfo());
  spdlog::debug("the controller at {} is of version {}", client.address(), info.version());
  MA_RETURN_IF_ERROR(CheckLimits(trees, info.context_limits()));
  MA_ASSIGN_OR_RETURN(UploadStats stats, OverOutages<UploadStats>([&] { return send(false); }));
  int64_t files = 0;
  int64_t bytes = 0;
  for (const ContextTree& tree : trees) {
    files += tree.files;
    bytes += tree.bytes;
  }
  spdlog::debug("context: asking took {:.1f} ms, sending {} bytes {:.1f} ms",
                absl::ToDoubleMilliseconds(stats.asking), stats.sent_bytes,
                absl::ToDoubleMilliseconds(stats.sending));
  progress.OnInfo(absl::StrCat("context: ", files, files == 1 ? " file, " : " files, ",
                               Bytes(bytes), "; sent ", Bytes(stats.sent_bytes)));
  request.set_request_hash(Digest::Of(DeterministicBytes(request.spec())).ToString());
  request.set_idempotency_key(absl::StrFormat("%016x%016x", RandomBits(), RandomBits()));
  before_submit();
  const absl::Time start = absl::Now();
  const auto submit = [&]() -> absl::StatusOr<v1::SubmitResponse> {
    return client.Submit(request);
  };
  auto response = OverOutages<v1::SubmitResponse>(submit);
  if (absl::IsFailedPrecondition(response.status())) {
    // The root may be there without all of its parts; if nothing was missing it is something else.
    MA_ASSIGN_OR_RETURN(stats, OverOutages<UploadStats>([&] { return send(true); }));
    if (stats.blobs > 0) response = OverOutages<v1::SubmitResponse>(submit);
  }
  MA_RETURN_IF_ERROR(response.status());
  spdlog::debug("submitting took {:.1f} ms, the registry asked included",
                absl::ToDoubleMilliseconds(absl::Now() - start));
  progress.OnInfo(absl::StrCat("job ", response->job().id()));
  return response->job();
}

absl::StatusOr<v1::Job> SubmitRetry(Client& client, Progress& progress,
                                    const v1::RetryJobRequest& request,
                                    const std::function<void()>& before_submit) {
  MA_RETURN_IF_ERROR(client.GetInfo().status());
  before_submit();
  const auto submit = [&]() -> absl::StatusOr<v1::SubmitResponse> {
    return client.RetryJob(request);
  };
  MA_ASSIGN_OR_RETURN(v1::SubmitResponse response, OverOutages<v1::SubmitResponse>(submit));
  progress.OnInfo(
      absl::StrCat("job ", response.job().id(), " repeats job ", response.job().retry_of()));
  return std::move(*response.mutable_job());
}

}  // namespace manyarch::cli
