#include "registry/manifest.h"

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/json.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, 200)), "'");
}

bool IsList(absl::string_view type) { return type == kDockerList || type == kOciIndex; }
bool IsImage(absl::string_view type) { return type == kDockerManifest || type == kOciManifest; }

// Says nothing about which manifest it is.
bool IsGeneric(absl::string_view type) {
  return type.empty() || type == "application/json" || type == "application/octet-stream" ||
         type == "text/plain";
}

absl::Status RefuseSchema1() {
  return absl::InvalidArgumentError(
      "this is a schema 1 manifest: it does not say which blobs make the image's config, so it "
      "cannot stand in a manifest list; push the image again in the format v2s2 (buildah push "
      "--format v2s2), and update a registry that converts");
}

absl::StatusOr<std::string> DecideMediaType(const json& body, absl::string_view content_type) {
  const std::string header = absl::AsciiStrToLower(
      absl::StripAsciiWhitespace(content_type.substr(0, content_type.find(';'))));
  MA_ASSIGN_OR_RETURN(std::optional<std::string> written,
                      OptionalString(body, "mediaType", "the manifest"));
  const auto version = body.find("schemaVersion");
  if (absl::StrContains(header, "docker.distribution.manifest.v1+") ||
      (version != body.end() && *version == 1)) {
    return RefuseSchema1();
  }
  if (version == body.end() || *version != 2) {
    return absl::InvalidArgumentError("the manifest's \"schemaVersion\" is not 2");
  }
  if (written && !written->empty()) {
    if (!IsGeneric(header) && header != *written) {
      return absl::InvalidArgumentError(
          absl::StrCat("the manifest says of itself that it is ", Quoted(*written),
                       ", but the registry's Content-Type is ", Quoted(header)));
    }
    return *std::move(written);
  }
  if (!IsGeneric(header)) return header;
  // OCI allows to leave mediaType out; what is inside tells.
  if (body.contains("manifests") != body.contains("config")) {
    return std::string(body.contains("manifests") ? kOciIndex : kOciManifest);
  }
  return absl::InvalidArgumentError(
      "the manifest has no \"mediaType\", and the registry's Content-Type does not tell either");
}

absl::StatusOr<Descriptor> ParseDescriptor(const json& value, absl::string_view what) {
  if (!value.is_object()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is not an object"));
  }
  MA_ASSIGN_OR_RETURN(std::string media_type, RequiredString(value, "mediaType", what));
  MA_ASSIGN_OR_RETURN(std::string digest_text, RequiredString(value, "digest", what));
  auto digest = Digest::Parse(digest_text);
  if (!digest.ok()) return Annotate(digest.status(), what);
  MA_ASSIGN_OR_RETURN(int64_t size, RequiredSize(value, "size", what));
  return Descriptor{std::move(media_type), *std::move(digest), size};
}

absl::StatusOr<std::vector<Descriptor>> ParseDescriptors(const json& body, absl::string_view key,
                                                         absl::string_view what) {
  const auto list = body.find(std::string(key));
  if (list == body.end() || !list->is_array()) {
    return absl::InvalidArgumentError(absl::StrCat("the manifest has no list \"", key, "\""));
  }
  std::vector<Descriptor> out;
  for (const json& item : *list) {
    MA_ASSIGN_OR_RETURN(Descriptor descriptor,
                        ParseDescriptor(item, absl::StrCat(what, " ", out.size() + 1)));
    out.push_back(std::move(descriptor));
  }
  return out;
}

absl::StatusOr<Platform> ParsePlatformObject(const json& value, absl::string_view what) {
  MA_ASSIGN_OR_RETURN(std::string os, RequiredString(value, "os", what));
  MA_ASSIGN_OR_RETURN(std::string arch, RequiredString(value, "architecture", what));
  MA_ASSIGN_OR_RETURN(std::optional<std::string> variant, OptionalString(value, "variant", what));
  return NormalPlatform(os, arch, variant.value_or(""));
}

// Strings to strings; what is of another type belongs to no rule we know.
Annotations ParseAnnotations(const json& item) {
  Annotations out;
  const auto annotations = item.find("annotations");
  if (annotations == item.end() || !annotations->is_object()) return out;
  for (const auto& [name, value] : annotations->items()) {
    if (value.is_string()) out[name] = value.get<std::string>();
  }
  return out;
}

absl::StatusOr<ManifestList> ParseList(const json& body, std::string media_type) {
  ManifestList list{std::move(media_type), {}, {}};
  MA_ASSIGN_OR_RETURN(list.manifests, ParseDescriptors(body, "manifests", "list entry"));
  list.annotations = ParseAnnotations(body);
  const json& items = body.at("manifests");
  for (size_t i = 0; i < list.manifests.size(); ++i) {
    Descriptor& entry = list.manifests[i];
    const std::string where = absl::StrCat("list entry ", i + 1);
    entry.annotations = ParseAnnotations(items[i]);
    MA_ASSIGN_OR_RETURN(std::optional<std::string> type,
                        OptionalString(items[i], "artifactType", where));
    entry.artifact_type = type.value_or("");
    const auto platform = items[i].find("platform");
    if (platform == items[i].end() || platform->is_null()) {
      if (list.media_type == kOciIndex) continue;  // Optional there.
      return absl::InvalidArgumentError(where + " has no platform");
    }
    const std::string what = absl::StrCat("the platform of ", where);
    if (!platform->is_object()) return absl::InvalidArgumentError(what + " is not an object");
    MA_ASSIGN_OR_RETURN(entry.platform, ParsePlatformObject(*platform, what));
    MA_ASSIGN_OR_RETURN(std::optional<std::string> version,
                        OptionalString(*platform, "os.version", what));
    entry.os_version = version.value_or("");
  }
  return list;
}

}  // namespace

absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes, absl::string_view content_type) {
  if (bytes.size() > kMaxManifestSize) {
    return absl::InvalidArgumentError(absl::StrCat(
        "the manifest has ", bytes.size(), " bytes: at most ", kMaxManifestSize, " are allowed"));
  }
  MA_ASSIGN_OR_RETURN(json body, ParseObject(bytes, "the manifest"));
  MA_ASSIGN_OR_RETURN(std::string media_type, DecideMediaType(body, content_type));
  if (IsList(media_type)) return ParseList(body, std::move(media_type));
  if (!IsImage(media_type)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the manifest is of the unknown type ", Quoted(media_type),
                     ": known are Docker v2s2 manifests and lists, and OCI manifests and indexes"));
  }
  if (body.contains("manifests")) {
    return absl::InvalidArgumentError(absl::StrCat("the manifest is of type ", Quoted(media_type),
                                                   " but has \"manifests\" as only a list may"));
  }
  const auto config = body.find("config");
  if (config == body.end()) return absl::InvalidArgumentError("the manifest has no \"config\"");
  MA_ASSIGN_OR_RETURN(Descriptor config_descriptor,
                      ParseDescriptor(*config, "the manifest's config"));
  MA_ASSIGN_OR_RETURN(std::vector<Descriptor> layers, ParseDescriptors(body, "layers", "layer"));
  return ImageManifest{std::move(media_type), std::move(config_descriptor), std::move(layers)};
}

bool IsAttestation(const Descriptor& entry) {
  const auto type = entry.annotations.find("vnd.docker.reference.type");
  if (type != entry.annotations.end() && type->second == "attestation-manifest") return true;
  return entry.platform && entry.platform->os == "unknown" && entry.platform->arch == "unknown";
}

std::optional<Digest> AttestedImage(const Descriptor& entry) {
  const auto about = entry.annotations.find("vnd.docker.reference.digest");
  if (about == entry.annotations.end()) return std::nullopt;
  auto digest = Digest::Parse(about->second);
  if (!digest.ok()) return std::nullopt;
  return *std::move(digest);
}

const std::string& MediaType(const Manifest& manifest) {
  return std::visit([](const auto& m) -> const std::string& { return m.media_type; }, manifest);
}

absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view bytes) {
  constexpr absl::string_view kWhat = "the image's config";
  if (bytes.size() > kMaxConfigSize) {
    return absl::InvalidArgumentError(absl::StrCat(kWhat, " has ", bytes.size(), " bytes: at most ",
                                                   kMaxConfigSize, " are allowed"));
  }
  MA_ASSIGN_OR_RETURN(json body, ParseObject(bytes, kWhat));
  MA_ASSIGN_OR_RETURN(Platform platform, ParsePlatformObject(body, kWhat));
  std::string spelled = absl::StrCat(body.at("os").get<std::string>(), "/",
                                     body.at("architecture").get<std::string>());
  if (const auto variant = body.find("variant");
      variant != body.end() && variant->is_string() && !variant->get<std::string>().empty()) {
    absl::StrAppend(&spelled, "/", variant->get<std::string>());
  }
  return ImageConfig{std::move(platform), std::move(spelled)};
}

}  // namespace manyarch::registry
