// JudgeManifest. Reads JSON by itself and not with registry/'s parser: that is under test.
#include <initializer_list>
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "tests/support/registry_contents.h"

namespace manyarch::testing {

namespace {

using nlohmann::json;
using Verdict = std::optional<HttpAnswer>;

constexpr char kDockerList[] = "application/vnd.docker.distribution.manifest.list.v2+json";
constexpr char kDockerManifest[] = "application/vnd.docker.distribution.manifest.v2+json";
constexpr char kDockerConfig[] = "application/vnd.docker.container.image.v1+json";
constexpr char kDockerLayer[] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
constexpr char kForeignLayer[] = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
constexpr char kOciIndex[] = "application/vnd.oci.image.index.v1+json";
constexpr char kOciManifest[] = "application/vnd.oci.image.manifest.v1+json";
constexpr size_t kMaxManifest = 4 << 20;

HttpAnswer Invalid(const std::string& why) {
  return Refuse(400, "MANIFEST_INVALID", "manifest invalid", json{{"message", why}}.dump());
}
HttpAnswer Unknown(const std::string& digest) {
  return Refuse(400, "MANIFEST_BLOB_UNKNOWN", "blob unknown to registry",
                json{{"digest", digest}}.dump());
}

// What is not there or of another type is "" or -1.
std::string Text(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}
int64_t Size(const json& object) {
  const auto found = object.is_object() ? object.find("size") : object.end();
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : -1;
}

Verdict JudgeBlob(const StoredRepository& repository, const json& descriptor,
                  const std::string& what) {
  const std::string digest = Text(descriptor, "digest");
  if (digest.empty() || Text(descriptor, "mediaType").empty() || Size(descriptor) < 0) {
    return Invalid(what + " lacks mediaType, size or digest");
  }
  const auto blob = repository.blobs.find(digest);
  if (blob == repository.blobs.end()) return Unknown(digest);
  if (static_cast<int64_t>(blob->second.size()) != Size(descriptor)) {
    return Invalid(what + " has another size");
  }
  return std::nullopt;
}

Verdict JudgeImage(const RegistryRules& rules, const StoredRepository& repository, const json& body,
                   const std::string& type) {
  if (!body.contains("config") || !body.contains("layers") || !body["layers"].is_array()) {
    return Invalid("'config' and 'layers' are required properties");
  }
  if (Verdict v = JudgeBlob(repository, body["config"], "the config")) return v;
  if (type == kDockerManifest && rules.checks_layers &&
      Text(body["config"], "mediaType") != kDockerConfig) {
    return Invalid("the config's mediaType is not of a container image");
  }
  for (const json& layer : body["layers"]) {
    const std::string media_type = Text(layer, "mediaType");
    if (type == kDockerManifest && rules.checks_layers && media_type != kDockerLayer &&
        media_type != kForeignLayer) {
      return Invalid("unexpected layer mediaType '" + media_type + "'");
    }
    if (media_type == kForeignLayer) continue;
    if (Verdict v = JudgeBlob(repository, layer, "a layer")) return v;
  }
  return std::nullopt;
}

Verdict JudgeEntry(const StoredRepository& repository, const json& entry, const json& child,
                   size_t child_size, const std::string& child_type) {
  for (const char* key : {"mediaType", "digest"}) {
    if (Text(entry, key).empty())
      return Invalid(absl::StrCat("'", key, "' is a required property"));
  }
  if (Size(entry) != static_cast<int64_t>(child_size)) {
    return Invalid(absl::StrCat("size of ", Text(entry, "digest"), " is ", child_size));
  }
  if (Text(entry, "mediaType") != child_type) return Invalid("mediaType is not the child's");
  if (child.contains("manifests")) return Invalid("a list in a list");
  const json platform = entry.value("platform", json());
  const std::string os = Text(platform, "os");
  const std::string architecture = Text(platform, "architecture");
  if (os.empty() || architecture.empty()) {
    return Invalid("'platform' with 'architecture' and 'os' is a required property");
  }
  const auto blob = repository.blobs.find(Text(child.value("config", json()), "digest"));
  if (blob == repository.blobs.end()) return Invalid("the child's config does not exist");
  const json config = json::parse(blob->second, nullptr, false);
  if (Text(config, "os") != os || Text(config, "architecture") != architecture) {
    return Invalid(absl::StrCat("the entry is for ", os, "/", architecture, ", its image for ",
                                Text(config, "os"), "/", Text(config, "architecture")));
  }
  return std::nullopt;
}

Verdict JudgeList(const RegistryRules& rules, const StoredRepository& repository, const json& body,
                  const std::string& type) {
  if (!body.contains("manifests") || !body["manifests"].is_array()) {
    return Invalid("'manifests' is a required property");
  }
  if (rules.checks_lists && body["manifests"].empty()) return Invalid("'manifests' is empty");
  if (rules.checks_lists && type == kDockerList) {
    for (const char* key : {"annotations", "subject"}) {
      if (body.contains(key)) return Invalid(absl::StrCat("'", key, "' was unexpected"));
    }
  }
  for (const json& entry : body["manifests"]) {
    const std::string digest = Text(entry, "digest");
    if (digest.empty()) {
      return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    const auto child = repository.manifests.find(digest);
    if (child == repository.manifests.end()) {
      if (!rules.needs_children) continue;
      return Unknown(digest);
    }
    if (!rules.checks_lists) continue;
    const json parsed = json::parse(child->second.bytes, nullptr, false);
    if (Verdict v = JudgeEntry(repository, entry, parsed, child->second.bytes.size(),
                               child->second.media_type)) {
      return v;
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<HttpAnswer> JudgeManifest(const RegistryRules& rules,
                                        const StoredRepository& repository,
                                        const std::string& content_type, const std::string& bytes) {
  const std::string type = content_type.substr(0, content_type.find(';'));
  if (bytes.size() > kMaxManifest) return Invalid("manifest payload size limit exceeded");
  const json body = json::parse(bytes, nullptr, false);
  if (body.is_discarded() || !body.is_object()) return Invalid("not a JSON object");
  if (type.empty() || type == "application/json") {
    if (rules.json_is_schema1) return Invalid("failed schema validation: 'name' is required");
    return Invalid("mediaType in manifest should be '" + type + "'");
  }
  const bool list = type == kDockerList || type == kOciIndex;
  const bool oci = type == kOciIndex || type == kOciManifest;
  if (!list && !oci && type != kDockerManifest) {
    return Invalid("unknown media type " + type);
  }
  if (list && !rules.takes_lists) {
    return Refuse(415, "UNSUPPORTED", "The operation is unsupported.");
  }
  if (oci && !rules.takes_oci) return Invalid("OCI artifacts are not enabled");
  const auto version = body.find("schemaVersion");
  if (version == body.end() || *version != 2)
    return Invalid("unrecognized manifest schema version");
  // OCI allows to leave it out.
  if (const std::string own = Text(body, "mediaType"); own != type && !(oci && own.empty())) {
    return Invalid(absl::StrCat("mediaType in manifest should be '", type, "' not '", own, "'"));
  }
  return list ? JudgeList(rules, repository, body, type)
              : JudgeImage(rules, repository, body, type);
}

}  // namespace manyarch::testing
