// Retries: images of an earlier job are used again where the registry still has them.
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "controller/core/farm.h"

namespace manyarch::controller::core {

namespace {

// In the place of an attempt's id: there is no attempt, and none has this number.
std::string CheckId(const Job& job, const Build& build) {
  return AttemptId(job.id, build.platform, 0);
}

}  // namespace

void Farm::StartReuse(const Job& job, const Build& build, const Image& image) {
  Emit(CheckImage{CheckId(job, build), build.platform, image, job.spec->format,
                  !job.spec->sealed.empty()});
}

// Whether this was about the image of an earlier job.
bool Farm::TakeReused(const ImageChecked& event) {
  const auto it = jobs_.find(event.attempt_id.substr(0, event.attempt_id.find('-')));
  if (it == jobs_.end()) return false;
  Job& job = it->second;
  for (size_t b = 0; b < job.builds.size(); ++b) {
    Build& build = job.builds[b];
    if (!std::holds_alternative<BuildReusing>(build.state)) continue;
    if (CheckId(job, build) != event.attempt_id) continue;
    if (!event.failure) {
      TakeImage(job, b, event, /*winner=*/"", /*to_others=*/"");
      return true;
    }
    build.warnings.push_back(absl::StrCat("built anew, because the image of job ",
                                          build.reused_from,
                                          " could not be used again: ", event.failure->message));
    build.reused_from.clear();
    build.state = BuildWaiting{"its image is to be built anew", now_.wall};
    Changed(job);
    // Another platform may have doomed the job meanwhile.
    StopWaitingBuilds(job);
    if (std::holds_alternative<BuildWaiting>(build.state)) Enqueue(job, b, absl::InfinitePast());
    Advance(job);
    return true;
  }
  return false;
}

}  // namespace manyarch::controller::core
