#include "controller/rpc/retry.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "controller/rpc/submission.h"
#include "controller/wire/convert.h"

namespace manyarch::controller::rpc {

namespace {

// Values are gone with the job that had them.
template <typename Ids, typename Secrets>
absl::Status CheckGiven(const v1::Job& job, const Ids& ids, const Secrets& given, const char* what,
                        const char* flag) {
  std::vector<std::string> missing;
  for (const std::string& id : ids) {
    const auto is_it = [&](const v1::Secret& secret) { return secret.id() == id; };
    if (std::none_of(given.begin(), given.end(), is_it)) missing.push_back(id);
  }
  if (missing.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      "job ", job.id(), " was given ", what, " (", absl::StrJoin(missing, ", "),
      "), which are forgotten when a job ends: give them to the retry again with ", flag));
}

core::ReusableImage ReusableFrom(const v1::Job& job, const v1::Build& build) {
  return {wire::FromProto(build.platform()), wire::FromProto(build.image()),
          build.reused_from().empty() ? job.id() : build.reused_from()};
}

}  // namespace

absl::StatusOr<Retry> RetryOf(const v1::Job& job, const v1::RetryJobRequest& request) {
  if (job.state() < v1::JOB_STATE_SUCCEEDED) {
    return absl::FailedPreconditionError(
        absl::StrCat("job ", job.id(), " has not ended: wait for it with `manyarch wait ", job.id(),
                     "`, or cancel it first"));
  }
  const v1::BuildOptions& options = job.spec().options();
  MA_RETURN_IF_ERROR(
      CheckGiven(job, options.secret_ids(), request.secrets(), "secrets", "--secret"));
  MA_RETURN_IF_ERROR(CheckGiven(job, options.ssh_ids(), request.ssh_keys(), "ssh keys", "--ssh"));
  Retry retry;
  *retry.request.mutable_spec() = job.spec();
  retry.request.set_idempotency_key(request.idempotency_key());
  // Of what was asked for here, not of the spec: the key belongs to this retry of that job.
  retry.request.set_request_hash(
      Digest::Of(absl::StrCat("retry ", job.id(), request.failed_only() ? " failed" : ""))
          .ToString());
  *retry.request.mutable_secrets() = request.secrets();
  *retry.request.mutable_ssh_keys() = request.ssh_keys();
  retry.request.set_authfile(request.authfile());
  if (!request.failed_only()) return retry;
  for (const v1::Build& build : job.builds()) {
    if (build.state() == v1::BUILD_STATE_SUCCEEDED) retry.reuse.push_back(ReusableFrom(job, build));
  }
  return retry;
}

std::set<std::string> TagsLeftBy(const v1::Job& job) {
  std::set<std::string> tags;
  for (const v1::TagResult& tag : job.tags()) {
    if (tag.written()) tags.insert(tag.reference());
  }
  for (const registry::Reference& tag : ArchTagsOf(job.spec())) tags.insert(tag.ToString());
  return tags;
}

}  // namespace manyarch::controller::rpc
