#include "cli/render/json.h"

#include "absl/strings/str_join.h"
#include "cli/render/words.h"
#include "google/protobuf/util/json_util.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

// Texts may hold what builds printed, so they need not be UTF-8.
std::string Dump(const nlohmann::ordered_json& json) {
  return json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
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
  return Dump(json);
}

}  // namespace manyarch::cli
