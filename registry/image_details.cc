#include "registry/image_details.h"

#include "common/base/status_macros.h"
#include "registry/json.h"
#include "registry/manifest.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

std::string Text(const json& object, const char* key) {
  const auto member = object.find(key);
  return member != object.end() && member->is_string() ? member->get<std::string>() : "";
}

std::vector<std::string> Texts(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto member = object.find(key);
  if (member == object.end() || !member->is_array()) return out;
  for (const json& item : *member) {
    if (item.is_string()) out.push_back(item.get<std::string>());
  }
  return out;
}

// {"8080/tcp": {}} is how configs write sets.
std::vector<std::string> Keys(const json& object, const char* key) {
  std::vector<std::string> out;
  const auto member = object.find(key);
  if (member == object.end() || !member->is_object()) return out;
  for (const auto& [name, ignored] : member->items()) out.push_back(name);
  return out;
}

}  // namespace

absl::StatusOr<ImageDetails> ParseImageDetails(absl::string_view bytes) {
  MA_ASSIGN_OR_RETURN(ImageConfig checked, ParseImageConfig(bytes));
  MA_ASSIGN_OR_RETURN(const json body, ParseObject(bytes, "the image's config"));
  ImageDetails out;
  out.platform = std::move(checked.platform);
  out.spelled = std::move(checked.spelled);
  out.created = Text(body, "created");
  out.author = Text(body, "author");
  const auto config = body.find("config");
  if (config == body.end() || !config->is_object()) return out;
  out.user = Text(*config, "User");
  out.working_dir = Text(*config, "WorkingDir");
  out.stop_signal = Text(*config, "StopSignal");
  out.entrypoint = Texts(*config, "Entrypoint");
  out.cmd = Texts(*config, "Cmd");
  out.env = Texts(*config, "Env");
  out.exposed_ports = Keys(*config, "ExposedPorts");
  out.volumes = Keys(*config, "Volumes");
  if (const auto labels = config->find("Labels"); labels != config->end() && labels->is_object()) {
    for (const auto& [name, value] : labels->items()) {
      if (value.is_string()) out.labels.emplace_back(name, value.get<std::string>());
    }
  }
  return out;
}

}  // namespace manyarch::registry
