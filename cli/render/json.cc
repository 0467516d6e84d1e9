#include "cli/render/json.h"

#include <vector>

#include "absl/strings/str_join.h"
#include "cli/render/timeline.h"
#include "cli/render/words.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

// Texts may hold what builds printed, so they need not be UTF-8.
std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

const v1::Attempt* Winner(const v1::Build& build) {
  for (const v1::Attempt& attempt : build.attempts()) {
    if (attempt.state() == v1::ATTEMPT_STATE_SUCCEEDED) return &attempt;
  }
  return nullptr;
}

double Seconds(const std::vector<PhaseTime>& phases, absl::string_view name) {
  for (const PhaseTime& phase : phases) {
    if (phase.name == name) return absl::ToDoubleSeconds(phase.duration);
  }
  return 0;
}

nlohmann::ordered_json PlatformMetadata(const v1::Job& job, const v1::Build& build) {
  nlohmann::ordered_json entry;
  entry["platform"] = PlatformText(build.platform());
  entry["state"] = Word(build.state());
  entry["optional"] = build.optional();
  entry["digest"] = build.state() == v1::BUILD_STATE_SUCCEEDED ? build.image().digest() : "";
  entry["attempts"] = build.attempts_size();
  if (!build.reused_from().empty()) entry["reused_from"] = build.reused_from();
  if (const v1::Attempt* winner = Winner(build); winner != nullptr) {
    const auto phases = PhasesOf(job, build, *winner, ToTime(winner->finished_at()));
    entry["worker"] = winner->worker_name();
    entry["mode"] = HowText(winner->emulated());
    entry["queue_seconds"] = Seconds(phases, "queued");
    entry["build_seconds"] = Seconds(phases, "fetching") + Seconds(phases, "building");
    entry["push_seconds"] = Seconds(phases, "pushing");
  }
  if (build.has_failure()) entry["failure"] = build.failure().message();
  entry["warnings"] = nlohmann::ordered_json::array();
  for (const std::string& warning : build.warnings()) entry["warnings"].push_back(warning);
  return entry;
}

}  // namespace

std::string ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.always_print_primitive_fields = true;
  options.preserve_proto_field_names = true;
  std::string json;
  if (!google::protobuf::util::MessageToJsonString(message, &json, options).ok()) return "{}\n";
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

std::string ResultJson(const v1::Job& job) {
  nlohmann::ordered_json json;
  json["job_id"] = job.id();
  json["state"] = Word(job.state());
  json["digest"] = job.intent().digest();
  json["media_type"] = job.intent().media_type();
  json["tags"] = nlohmann::ordered_json::array();
  for (const v1::TagResult& tag : job.tags()) {
    json["tags"].push_back(
        {{"reference", tag.reference()}, {"written", tag.written()}, {"note", tag.note()}});
  }
  json["platforms"] = nlohmann::ordered_json::array();
  for (const v1::Build& build : job.builds()) {
    nlohmann::ordered_json entry;
    entry["platform"] = PlatformText(build.platform());
    entry["state"] = Word(build.state());
    entry["repository"] = build.image().repository();
    entry["digest"] = build.image().digest();
    entry["size"] = build.image().size();
    if (build.has_failure()) entry["failure"] = build.failure().message();
    entry["warnings"] = nlohmann::ordered_json::array();
    for (const std::string& warning : build.warnings()) entry["warnings"].push_back(warning);
    json["platforms"].push_back(std::move(entry));
  }
  if (!job.retry_of().empty()) json["retry_of"] = job.retry_of();
  if (!job.status_reason().empty()) json["note"] = job.status_reason();
  if (job.has_failure()) json["failure"] = job.failure().message();
  return Dump(json);
}

std::string MetadataJson(const v1::Job& job) {
  nlohmann::ordered_json json;
  json["containerimage.digest"] = job.intent().digest();
  json["containerimage.descriptor"] = {{"mediaType", job.intent().media_type()},
                                       {"digest", job.intent().digest()},
                                       {"size", job.intent().list().size()}};
  json["image.name"] = absl::StrJoin(
      job.tags(), ",",
      [](std::string* out, const v1::TagResult& tag) { out->append(tag.reference()); });
  json["manyarch.job"] = job.id();
  if (!job.status_reason().empty()) json["manyarch.note"] = job.status_reason();
  json["manyarch.platforms"] = nlohmann::ordered_json::array();
  for (const v1::Build& build : job.builds()) {
    json["manyarch.platforms"].push_back(PlatformMetadata(job, build));
  }
  return Dump(json);
}

}  // namespace manyarch::cli
