#include "controller/content_keeper.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "spdlog/spdlog.h"

namespace manyarch::controller {

namespace {
// Listing a store in vain is not worth it every time; what was used lately grows old, though.
constexpr int kLooksAfterInVain = 10;
}  // namespace

absl::StatusOr<std::vector<Digest>> LiveContent(Store& jobs) {
  std::vector<Digest> live;
  v1::ListJobsRequest request;
  request.set_limit(1000);
  for (const v1::JobState state :
       {v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_PUBLISHING}) {
    request.add_states(state);
  }
  while (true) {
    MA_ASSIGN_OR_RETURN(const std::vector<v1::Job> page, jobs.ListJobs(request));
    for (const v1::Job& job : page) {
      const auto add = [&](const std::string& text) {
        if (absl::StatusOr<Digest> digest = Digest::Parse(text); digest.ok()) {
          live.push_back(*std::move(digest));
        }
      };
      add(job.spec().context_root());
      add(job.spec().options().containerfile_digest());
      for (const v1::NamedContext& context : job.spec().options().contexts()) add(context.root());
    }
    if (static_cast<int>(page.size()) < request.limit()) break;
    request.set_before_generation(page.back().generation());
  }
  std::sort(live.begin(), live.end());
  live.erase(std::unique(live.begin(), live.end()), live.end());
  return live;
}

ContentKeeper::ContentKeeper(std::string directory, Limits limits, ContentStore* content,
                             Store* jobs, absl::Duration interval)
    : directory_(std::move(directory)), limits_(limits), content_(content), jobs_(jobs) {
  thread_ = std::thread([this, interval] {
    do Look();
    while (!stop_.WaitFor(interval));
  });
}

ContentKeeper::~ContentKeeper() {
  stop_.Stop("the controller is ending");
  thread_.join();
}

void ContentKeeper::Look() {
  const absl::StatusOr<DiskSpace> disk = DiskSpaceAt(directory_);
  if (!disk.ok()) return;  // Whatever it is, uploads will tell.
  const int64_t bytes = content_->bytes();
  int64_t limit = limits_.content.Of(*disk);
  const int64_t missing = limits_.min_free.Of(*disk) - disk->free;
  if (missing > 0) limit = std::min(limit, std::max<int64_t>(0, bytes - missing));
  // Not known yet: nobody has counted since the controller started.
  if (bytes > 0 && bytes <= limit) return;
  if (looks_to_skip_ > 0) {
    --looks_to_skip_;
    return;
  }
  const auto live = [this] { return LiveContent(*jobs_); };
  const absl::StatusOr<ContentStore::Swept> swept = content_->Sweep(limit, absl::Now(), live);
  if (!swept.ok()) {
    spdlog::warn("giving up old contexts: {}", std::string(swept.status().message()));
    return;
  }
  looks_to_skip_ = swept->removed_blobs == 0 ? kLooksAfterInVain : 0;
  if (swept->removed_blobs > 0) {
    spdlog::info("gave up {} of contexts that were used longest ago ({} blobs); {} are left",
                 ShowBytes(swept->removed_bytes), swept->removed_blobs,
                 ShowBytes(swept->left_bytes));
  }
  if (swept->left_bytes > limit) {
    spdlog::warn(
        "contexts take {}, more than the {} that they may ({} of it for live jobs, the rest was "
        "used within the hour); raise --content-limit or free some space",
        ShowBytes(swept->left_bytes), ShowBytes(limit), ShowBytes(swept->live_bytes));
  }
}

}  // namespace manyarch::controller
