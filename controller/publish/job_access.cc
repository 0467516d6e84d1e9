#include "controller/publish/job_access.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/auth_file.h"
#include "registry/keychain.h"

namespace manyarch::controller::publish {

namespace {
// Longer than the pauses between two steps of most jobs; it costs a token to be wrong.
constexpr absl::Duration kUnused = absl::Minutes(10);
constexpr size_t kMost = 256;
}  // namespace

JobAccess::JobAccess(registry::ClientOptions options, AuthfileOf authfile_of,
                     registry::HttpTransport* transport, registry::Waiter* waiter,
                     const absl::Notification* stop)
    : options_(std::move(options)),
      authfile_of_(std::move(authfile_of)),
      transport_(transport),
      waiter_(waiter),
      stop_(stop),
      own_(std::make_shared<Access>(options_, transport, waiter, stop)) {}

absl::StatusOr<std::shared_ptr<Access>> JobAccess::With(const std::string& authfile) const {
  if (authfile.empty()) return own_;
  registry::ClientOptions options = options_;
  MA_ASSIGN_OR_RETURN(options.auth, registry::AuthFile::Parse(authfile));
  options.keychain = std::make_shared<registry::Keychain>(options.auth, waiter_);
  if (options.keychain->has_helpers()) {
    // Who sends a file must not choose a program that runs here.
    return absl::InvalidArgumentError(
        "the auth file names a credential helper, which only its own machine can ask; give one "
        "with the credentials in it (under \"auths\")");
  }
  return std::make_shared<Access>(std::move(options), transport_, waiter_, stop_);
}

absl::StatusOr<std::shared_ptr<Access>> JobAccess::Of(const std::string& job_id, bool sealed) {
  if (authfile_of_ == nullptr) return own_;
  const absl::Time now = waiter_->Now();
  {
    absl::MutexLock lock(&mutex_);
    while (!kept_.empty() && (kept_.size() > kMost || now - kept_.back().used > kUnused)) {
      kept_.pop_back();
    }
    if (!sealed) return own_;
    const auto kept = std::find_if(kept_.begin(), kept_.end(),
                                   [&](const Kept& one) { return one.job_id == job_id; });
    if (kept != kept_.end()) {
      kept->used = now;
      kept_.splice(kept_.begin(), kept_, kept);
      return kept_.front().access;
    }
  }
  // Two steps of a job may come here at one time; both get what they need.
  MA_ASSIGN_OR_RETURN(const std::string authfile, authfile_of_(job_id));
  auto access = With(authfile);
  if (!access.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat("the job's own credentials: ", access.status().message()));
  }
  absl::MutexLock lock(&mutex_);
  kept_.push_front({job_id, *access, now});
  return access;
}

void JobAccess::Forget(const std::string& job_id) {
  absl::MutexLock lock(&mutex_);
  kept_.remove_if([&](const Kept& one) { return one.job_id == job_id; });
}

}  // namespace manyarch::controller::publish
