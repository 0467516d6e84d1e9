// Jobs, builds and attempts.
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "controller/wire/convert.h"
#include "controller/wire/match.h"
#include "controller/wire/times.h"
#include "registry/reference.h"

namespace manyarch::controller::wire {

namespace {

absl::StatusOr<core::TagRef> TagFromProto(const std::string& text) {
  const size_t colon = text.rfind(':');
  const size_t slash = text.rfind('/');
  if (colon == std::string::npos || slash == std::string::npos || colon < slash) {
    return absl::InvalidArgumentError(
        absl::StrCat("the tag '", text, "' is not in the form registry/repository:tag"));
  }
  return core::TagRef{text.substr(0, colon), text.substr(colon + 1)};
}

v1::Build BuildToProto(const core::Build& build) {
  v1::Build proto;
  *proto.mutable_platform() = ToProto(build.platform);
  proto.set_optional(build.optional);
  std::visit(
      Match{
          [&](const core::BuildWaiting& s) {
            proto.set_state(v1::BUILD_STATE_WAITING);
            proto.set_waiting_reason(s.reason);
          },
          // Told apart from other waiting ones by its image.
          [&](const core::BuildReusing& s) {
            proto.set_state(v1::BUILD_STATE_WAITING);
            proto.set_waiting_reason(absl::StrCat("looking whether the image of job ",
                                                  build.reused_from, " is still in the registry"));
            *proto.mutable_image() = ToProto(s.image);
          },
          [&](const core::BuildRunning&) { proto.set_state(v1::BUILD_STATE_RUNNING); },
          [&](const core::BuildSucceeded& s) {
            proto.set_state(v1::BUILD_STATE_SUCCEEDED);
            *proto.mutable_image() = ToProto(s.image);
          },
          [&](const core::BuildFailed& s) {
            proto.set_state(v1::BUILD_STATE_FAILED);
            *proto.mutable_failure() = ToProto(s.failure);
          },
          [&](const core::BuildCancelled& s) {
            proto.set_state(v1::BUILD_STATE_CANCELLED);
            proto.mutable_failure()->set_message(s.reason);
          },
      },
      build.state);
  for (const core::Attempt& attempt : build.attempts) *proto.add_attempts() = ToProto(attempt);
  for (const std::string& warning : build.warnings) proto.add_warnings(warning);
  proto.set_reused_from(build.reused_from);
  if (build.finished_at != absl::InfinitePast()) {
    *proto.mutable_finished_at() = ToProto(build.finished_at);
  }
  return proto;
}

core::Build FromStored(const v1::Build& proto, const v1::StoredBuild& stored,
                       absl::Time submitted) {
  core::Build build;
  build.platform = FromProto(proto.platform());
  build.optional = proto.optional();
  build.reused_from = proto.reused_from();
  for (const v1::Attempt& attempt : proto.attempts()) build.attempts.push_back(FromProto(attempt));
  build.warnings.assign(proto.warnings().begin(), proto.warnings().end());
  if (proto.has_finished_at()) build.finished_at = FromProto(proto.finished_at());
  build.anchor = static_cast<core::Anchor>(stored.anchor());
  switch (proto.state()) {
    case v1::BUILD_STATE_RUNNING:
      build.state = core::BuildRunning{};
      break;
    case v1::BUILD_STATE_SUCCEEDED:
      build.state = core::BuildSucceeded{FromProto(proto.image()), stored.winner()};
      break;
    case v1::BUILD_STATE_FAILED:
      build.state = core::BuildFailed{FromProto(proto.failure())};
      break;
    case v1::BUILD_STATE_CANCELLED:
      build.state = core::BuildCancelled{proto.failure().message()};
      break;
    default:
      if (!build.reused_from.empty() && proto.has_image()) {
        build.state = core::BuildReusing{FromProto(proto.image())};
      } else {
        build.state = core::BuildWaiting{proto.waiting_reason(), submitted};
      }
      break;
  }
  return build;
}

void SetIntent(const core::PublishIntent& intent, v1::Job& proto) {
  proto.mutable_intent()->set_list(intent.list);
  proto.mutable_intent()->set_digest(intent.digest);
  proto.mutable_intent()->set_media_type(intent.media_type);
}

core::JobState JobStateFromProto(const v1::Job& proto) {
  const core::PublishIntent intent{proto.intent().list(), proto.intent().digest(),
                                   proto.intent().media_type()};
  switch (proto.state()) {
    case v1::JOB_STATE_RUNNING:
      return core::JobRunning{};
    case v1::JOB_STATE_PUBLISHING:
      return core::JobPublishing{intent};
    case v1::JOB_STATE_SUCCEEDED:
      return core::JobSucceeded{intent};
    case v1::JOB_STATE_FAILED:
      return core::JobFailed{FromProto(proto.failure())};
    case v1::JOB_STATE_CANCELLED:
      return core::JobCancelled{proto.failure().message()};
    case v1::JOB_STATE_SUPERSEDED:
      return core::JobSuperseded{proto.status_reason()};
    default:
      return core::JobQueued{};
  }
}

}  // namespace

absl::StatusOr<std::shared_ptr<const core::JobSpec>> FromProto(const v1::JobSpec& spec) {
  auto value = std::make_shared<core::JobSpec>();
  value->principal = spec.principal();
  value->project = spec.project();
  for (const std::string& tag : spec.tags()) {
    MA_ASSIGN_OR_RETURN(core::TagRef ref, TagFromProto(tag));
    value->tags.push_back(std::move(ref));
  }
  for (const v1::PlatformRequest& request : spec.platforms()) {
    value->platforms.push_back({FromProto(request.platform()), request.optional()});
  }
  if (value->tags.empty())
    return absl::InvalidArgumentError("the job has no tag; give one with -t");
  if (value->platforms.empty()) {
    return absl::InvalidArgumentError("the job has no platform; give some with --platform");
  }
  value->context_root = spec.context_root();
  value->source = spec.source();
  value->options = spec.options().SerializeAsString();
  value->target = spec.options().target();
  value->memory_bytes = spec.options().memory_bytes();
  for (const v1::NameValue& label : spec.constraints()) {
    value->constraints.emplace(label.name(), label.value());
  }
  value->hedge = spec.hedge();
  switch (spec.emulation()) {
    case v1::EMULATION_POLICY_NEVER:
      value->emulation = core::Emulation::kNever;
      break;
    case v1::EMULATION_POLICY_ALLOW:
      value->emulation = core::Emulation::kAllow;
      break;
    default:
      value->emulation = core::Emulation::kFallback;
      break;
  }
  const absl::Duration timeout = FromProto(spec.build_timeout());
  if (timeout > absl::ZeroDuration()) value->build_timeout = timeout;
  if (spec.max_attempts() > 0) value->max_attempts = spec.max_attempts();
  if (spec.has_unschedulable_after()) {
    value->unschedulable_after = FromProto(spec.unschedulable_after());
  }
  if (spec.arch_tag_template() == "off") {
    value->arch_tag_template.clear();
  } else if (!spec.arch_tag_template().empty()) {
    value->arch_tag_template = spec.arch_tag_template();
  }
  value->priority = spec.priority();
  value->binary_check = BinaryCheckFromProto(spec.binary_check());
  value->keep_going = spec.keep_going();
  value->format =
      spec.format() == v1::IMAGE_FORMAT_OCI ? core::ImageFormat::kOci : core::ImageFormat::kDocker;
  value->immutable = spec.immutable();
  const std::string& repository = value->tags.front().repository;
  value->local_only = registry::IsLoopback(repository.substr(0, repository.find('/')));
  return value;
}

v1::JobSpec ToProto(const core::JobSpec& spec) {
  v1::JobSpec proto;
  proto.set_principal(spec.principal);
  proto.set_project(spec.project);
  for (const core::TagRef& tag : spec.tags) proto.add_tags(tag.ToString());
  for (const core::PlatformRequest& request : spec.platforms) {
    v1::PlatformRequest& platform = *proto.add_platforms();
    *platform.mutable_platform() = ToProto(request.platform);
    platform.set_optional(request.optional);
  }
  proto.set_context_root(spec.context_root);
  proto.set_source(spec.source);
  proto.mutable_options()->ParseFromString(spec.options);
  static constexpr v1::EmulationPolicy kPolicies[] = {
      v1::EMULATION_POLICY_NEVER, v1::EMULATION_POLICY_FALLBACK, v1::EMULATION_POLICY_ALLOW};
  proto.set_emulation(kPolicies[static_cast<int>(spec.emulation)]);
  *proto.mutable_build_timeout() = ToProto(spec.build_timeout);
  proto.set_max_attempts(spec.max_attempts);
  *proto.mutable_unschedulable_after() = ToProto(spec.unschedulable_after);
  proto.set_arch_tag_template(spec.arch_tag_template.empty() ? "off" : spec.arch_tag_template);
  proto.set_priority(spec.priority);
  proto.set_binary_check(ToProto(spec.binary_check));
  proto.set_keep_going(spec.keep_going);
  proto.set_format(spec.format == core::ImageFormat::kOci ? v1::IMAGE_FORMAT_OCI
                                                          : v1::IMAGE_FORMAT_DOCKER);
  proto.set_immutable(spec.immutable);
  for (const auto& [name, label] : spec.constraints) {
    v1::NameValue& constraint = *proto.add_constraints();
    constraint.set_name(name);
    constraint.set_value(label);
  }
  proto.set_hedge(spec.hedge);
  return proto;
}

v1::Job ToProto(const core::Job& job) {
  v1::Job proto;
  proto.set_id(job.id);
  std::visit(Match{
                 [&](const core::JobQueued&) { proto.set_state(v1::JOB_STATE_QUEUED); },
                 [&](const core::JobRunning&) { proto.set_state(v1::JOB_STATE_RUNNING); },
                 [&](const core::JobPublishing& s) {
                   proto.set_state(v1::JOB_STATE_PUBLISHING);
                   SetIntent(s.intent, proto);
                 },
                 [&](const core::JobSucceeded& s) {
                   proto.set_state(v1::JOB_STATE_SUCCEEDED);
                   SetIntent(s.intent, proto);
                 },
                 [&](const core::JobFailed& s) {
                   proto.set_state(v1::JOB_STATE_FAILED);
                   *proto.mutable_failure() = ToProto(s.failure);
                 },
                 [&](const core::JobCancelled& s) {
                   proto.set_state(v1::JOB_STATE_CANCELLED);
                   proto.mutable_failure()->set_message(s.reason);
                 },
                 [&](const core::JobSuperseded& s) {
                   proto.set_state(v1::JOB_STATE_SUPERSEDED);
                   proto.set_status_reason(s.reason);
                 },
             },
             job.state);
  for (const core::Build& build : job.builds) *proto.add_builds() = BuildToProto(build);
  for (const core::TagOutcome& tag : job.tags) {
    v1::TagResult& result = *proto.add_tags();
    result.set_reference(tag.ref.ToString());
    result.set_generation(job.generation);
    result.set_written(tag.written);
    result.set_note(tag.note);
  }
  proto.set_retry_of(job.retry_of);
  if (!job.status_reason.empty()) proto.set_status_reason(job.status_reason);
  *proto.mutable_submitted_at() = ToProto(job.submitted_at);
  if (job.started_at != absl::InfinitePast()) {
    *proto.mutable_started_at() = ToProto(job.started_at);
  }
  if (job.finished_at != absl::InfinitePast()) {
    *proto.mutable_finished_at() = ToProto(job.finished_at);
  }
  proto.set_revision(job.revision);
  proto.set_generation(job.generation);
  return proto;
}

v1::StoredJob ToStored(const core::Job& job) {
  v1::StoredJob stored;
  *stored.mutable_job() = ToProto(job);
  stored.set_idempotency_key(job.idempotency_key);
  stored.set_request_hash(job.request_hash);
  for (const core::Build& build : job.builds) {
    v1::StoredBuild& extra = *stored.add_builds();
    extra.set_anchor(static_cast<v1::StoredBuild::Anchor>(build.anchor));
    if (const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state)) {
      extra.set_winner(succeeded->winner);
    }
  }
  return stored;
}

absl::StatusOr<core::Job> FromStored(const v1::StoredJob& stored, const v1::JobSpec& spec) {
  const v1::Job& proto = stored.job();
  core::Job job;
  job.id = proto.id();
  MA_ASSIGN_OR_RETURN(job.spec, FromProto(spec));
  job.idempotency_key = stored.idempotency_key();
  job.request_hash = stored.request_hash();
  job.generation = proto.generation();
  job.state = JobStateFromProto(proto);
  job.submitted_at = FromProto(proto.submitted_at());
  if (proto.has_started_at()) job.started_at = FromProto(proto.started_at());
  if (proto.has_finished_at()) job.finished_at = FromProto(proto.finished_at());
  if (proto.builds_size() != stored.builds_size()) {
    return absl::DataLossError(absl::StrCat("the stored job ", proto.id(), " has ",
                                            proto.builds_size(), " builds and ",
                                            stored.builds_size(), " build records"));
  }
  for (int b = 0; b < proto.builds_size(); ++b) {
    job.builds.push_back(FromStored(proto.builds(b), stored.builds(b), job.submitted_at));
  }
  for (const v1::TagResult& tag : proto.tags()) {
    MA_ASSIGN_OR_RETURN(core::TagRef ref, TagFromProto(tag.reference()));
    job.tags.push_back({std::move(ref), tag.written(), tag.note()});
  }
  job.status_reason = proto.status_reason();
  job.retry_of = proto.retry_of();
  job.revision = proto.revision();
  return job;
}

}  // namespace manyarch::controller::wire
