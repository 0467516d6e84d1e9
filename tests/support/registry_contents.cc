#include "tests/support/registry_contents.h"

#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace manyarch::testing {

using nlohmann::json;

const StoredManifest* StoredRepository::Find(const std::string& name, std::string* digest) const {
  std::string wanted = name;
  if (const auto tag = tags.find(name); tag != tags.end()) wanted = tag->second;
  const auto found = manifests.find(wanted);
  if (found == manifests.end()) return nullptr;
  *digest = wanted;
  return &found->second;
}

void StoredRepository::Expire(absl::Time older_than) {
  std::set<std::string> kept;
  for (const auto& [tag, digest] : tags) {
    kept.insert(digest);
    const json body = json::parse(manifests.at(digest).bytes, nullptr, false);
    for (const json& child : body.value("manifests", json::array())) {
      kept.insert(child.value("digest", ""));
    }
  }
  std::erase_if(manifests, [&](const auto& entry) {
    return kept.count(entry.first) == 0 && entry.second.pushed < older_than;
  });
}

HttpAnswer Refuse(int status, absl::string_view code, absl::string_view message,
                  absl::string_view detail) {
  json error = {{"code", std::string(code)}, {"message", std::string(message)}};
  if (!detail.empty()) error["detail"] = json::parse(std::string(detail));
  HttpAnswer answer;
  answer.status = status;
  answer.body = json{{"errors", {error}}}.dump();
  return answer;
}

std::optional<StoredManifest> Convert(const StoredRepository& repository, const std::string& name,
                                      const StoredManifest& manifest,
                                      const std::function<bool(const std::string& type)>& accepts) {
  if (accepts(manifest.media_type)) return manifest;
  const json body = json::parse(manifest.bytes, nullptr, false);
  if (absl::StrContains(manifest.media_type, "vnd.oci")) return std::nullopt;
  if (body.contains("manifests")) {
    for (const json& child : body["manifests"]) {
      const json platform = child.value("platform", json::object());
      if (platform.value("os", "") != "linux") continue;
      if (platform.value("architecture", "") != "amd64") continue;
      const auto found = repository.manifests.find(child.value("digest", ""));
      if (found == repository.manifests.end()) return std::nullopt;
      return Convert(repository, name, found->second, accepts);
    }
    return std::nullopt;
  }
  json out = {{"schemaVersion", 1},
              {"name", name},
              {"tag", ""},
              {"architecture", "amd64"},
              {"fsLayers", json::array()},
              {"history", {{{"v1Compatibility", "{}"}}}},
              {"signatures", {{{"protected", "made-up"}}}}};
  for (const json& layer : body.value("layers", json::array())) {
    out["fsLayers"].push_back({{"blobSum", layer.value("digest", "")}});
  }
  return StoredManifest{out.dump(), "application/vnd.docker.distribution.manifest.v1+prettyjws",
                        manifest.pushed};
}

}  // namespace manyarch::testing
