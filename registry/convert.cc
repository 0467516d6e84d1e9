#include "registry/convert.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/json.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;
using nlohmann::ordered_json;

struct TypePair {
  absl::string_view docker;
  absl::string_view oci;
};
constexpr std::array<TypePair, 3> kLayers = {{
    {kDockerLayer, kOciLayer},
    {"application/vnd.docker.image.rootfs.diff.tar", "application/vnd.oci.image.layer.v1.tar"},
    {"application/vnd.docker.image.rootfs.diff.tar.zstd",
     "application/vnd.oci.image.layer.v1.tar+zstd"},
}};
constexpr absl::string_view kDockerForeign =
    "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip";
constexpr absl::string_view kOciForeign = "application/vnd.oci.image.layer.nondistributable.";

std::string Quoted(absl::string_view text) {
  return absl::StrCat("'", absl::CHexEscape(text.substr(0, 200)), "'");
}

absl::string_view NameOf(Format format) { return format == Format::kDocker ? "docker" : "oci"; }

std::string Advice(Format format) {
  return format == Format::kDocker
             ? "; push the image as v2s2 with gzip layers (buildah push --format v2s2), or publish "
               "with --format oci"
             : "; push the image as OCI (buildah push --format oci), or publish with --format "
               "docker";
}

// Why a layer of this type cannot be in an image of the format.
std::string WhyNot(absl::string_view type, Format format) {
  if (IsForeignLayer(type)) {
    return "it is a foreign layer, whose bytes are elsewhere";
  }
  if (format == Format::kDocker && absl::EndsWith(type, "zstd")) {
    return "it is compressed with zstd, and Docker v2s2 has gzip layers only";
  }
  if (format == Format::kDocker && absl::EndsWith(type, ".tar")) {
    return "it is not compressed, and Docker v2s2 has gzip layers only";
  }
  return "this is no type of an image's layer";
}

absl::StatusOr<absl::string_view> LayerType(absl::string_view type, Format format) {
  for (const TypePair& pair : kLayers) {
    if (type != pair.docker && type != pair.oci) continue;
    if (format == Format::kOci) return pair.oci;
    if (pair.docker == kDockerLayer) return pair.docker;
  }
  return absl::InvalidArgumentError(WhyNot(type, format));
}

bool IsEmpty(const json& value) {
  return value.is_null() || (value.is_structured() && value.empty()) ||
         (value.is_string() && value.get_ref<const std::string&>().empty());
}

bool MayBeDropped(absl::string_view annotation) {
  return annotation == "org.opencontainers.image.base.name" ||
         annotation == "org.opencontainers.image.base.digest";
}

// Refuses every member that is not known to be carried over.
absl::Status CheckMembers(const json& object, absl::string_view what,
                          std::initializer_list<absl::string_view> known, Format format) {
  for (const auto& [key, value] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end() || IsEmpty(value)) continue;
    std::string lost = Quoted(key);
    if (key == "annotations" && value.is_object()) {
      lost.clear();
      for (const auto& [name, text] : value.items()) {
        if (!MayBeDropped(name)) lost = absl::StrCat("the annotation ", Quoted(name));
      }
      if (lost.empty()) continue;
    }
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has ", lost, ", which would be lost", Advice(format)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ordered_json> Rewritten(const json& descriptor, absl::string_view type,
                                       absl::string_view what, Format format) {
  MA_RETURN_IF_ERROR(CheckMembers(descriptor, what, {"mediaType", "size", "digest"}, format));
  ordered_json out;
  out["mediaType"] = std::string(type);
  out["size"] = descriptor.at("size").get<int64_t>();
  out["digest"] = descriptor.at("digest").get<std::string>();
  return out;
}

std::string LayerName(size_t index, const Descriptor& layer) {
  return absl::StrCat("layer ", index + 1, " (", layer.digest.ToString(), ", of type ",
                      Quoted(layer.media_type), ")");
}

absl::Status CheckConfigType(const ImageManifest& image) {
  const std::string& type = image.config.media_type;
  if (type == kDockerConfig || type == kOciConfig) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("its config is of type ", Quoted(type), ": this is no image but an artifact"));
}

}  // namespace

absl::StatusOr<WrittenManifest> ConvertImage(absl::string_view bytes,
                                             absl::string_view content_type, Format format) {
  MA_ASSIGN_OR_RETURN(const Manifest manifest, ParseManifest(bytes, content_type));
  const auto* image = std::get_if<ImageManifest>(&manifest);
  if (image == nullptr) {
    return absl::InvalidArgumentError("it is a list of images where one image is wanted");
  }
  const std::string type(format == Format::kDocker ? kDockerManifest : kOciManifest);
  if (image->media_type == type) {
    return WrittenManifest{std::string(bytes), Digest::Of(bytes), type};
  }
  MA_RETURN_IF_ERROR(CheckConfigType(*image));
  MA_ASSIGN_OR_RETURN(const json body, ParseObject(bytes, "the manifest"));
  MA_RETURN_IF_ERROR(CheckMembers(body, "the manifest",
                                  {"schemaVersion", "mediaType", "config", "layers"}, format));

  ordered_json out;
  out["schemaVersion"] = 2;
  out["mediaType"] = type;
  MA_ASSIGN_OR_RETURN(
      out["config"],
      Rewritten(body.at("config"), format == Format::kDocker ? kDockerConfig : kOciConfig,
                "the config", format));
  out["layers"] = ordered_json::array();
  for (size_t i = 0; i < image->layers.size(); ++i) {
    const std::string what = LayerName(i, image->layers[i]);
    const auto layer_type = LayerType(image->layers[i].media_type, format);
    if (!layer_type.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " cannot be in an image of the format ", NameOf(format), ": ",
                       layer_type.status().message(), Advice(format)));
    }
    MA_ASSIGN_OR_RETURN(ordered_json layer,
                        Rewritten(body.at("layers")[i], *layer_type, what, format));
    out["layers"].push_back(std::move(layer));
  }
  std::string text = out.dump(3, ' ', false, ordered_json::error_handler_t::replace);
  Digest digest = Digest::Of(text);
  return WrittenManifest{std::move(text), std::move(digest), type};
}

bool IsForeignLayer(absl::string_view media_type) {
  return media_type == kDockerForeign || absl::StartsWith(media_type, kOciForeign);
}

absl::Status CheckMediaTypes(const ImageManifest& image) {
  MA_RETURN_IF_ERROR(CheckConfigType(image));
  const Format format = image.media_type == kDockerManifest ? Format::kDocker : Format::kOci;
  for (size_t i = 0; i < image.layers.size(); ++i) {
    const std::string& type = image.layers[i].media_type;
    const auto own = LayerType(type, format);
    // OCI allows Docker's types beside its own; foreign layers are sound where they were put.
    if (own.ok() && (format == Format::kOci || *own == type)) continue;
    if (IsForeignLayer(type)) continue;
    return absl::InvalidArgumentError(absl::StrCat(
        LayerName(i, image.layers[i]), " cannot be in an image of the format ", NameOf(format),
        ": ", own.ok() ? "this is the other format's type" : own.status().message(),
        Advice(format)));
  }
  return absl::OkStatus();
}

std::vector<Descriptor> BlobsToCopy(const ImageManifest& image) {
  std::set<std::string> seen;
  std::vector<Descriptor> blobs;
  const auto add = [&](const Descriptor& blob) {
    if (IsForeignLayer(blob.media_type)) return;
    if (seen.insert(blob.digest.ToString()).second) blobs.push_back(blob);
  };
  add(image.config);
  for (const Descriptor& layer : image.layers) add(layer);
  return blobs;
}

}  // namespace manyarch::registry
