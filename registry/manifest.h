// Manifests, manifest lists and image configs, Docker v2s2 and OCI: pure parsing and building.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/base/platform.h"

namespace manyarch::registry {

inline constexpr absl::string_view kDockerList =
    "application/vnd.docker.distribution.manifest.list.v2+json";
inline constexpr absl::string_view kDockerManifest =
    "application/vnd.docker.distribution.manifest.v2+json";
inline constexpr absl::string_view kDockerConfig = "application/vnd.docker.container.image.v1+json";
inline constexpr absl::string_view kDockerLayer =
    "application/vnd.docker.image.rootfs.diff.tar.gzip";
inline constexpr absl::string_view kOciIndex = "application/vnd.oci.image.index.v1+json";
inline constexpr absl::string_view kOciManifest = "application/vnd.oci.image.manifest.v1+json";
inline constexpr absl::string_view kOciConfig = "application/vnd.oci.image.config.v1+json";
inline constexpr absl::string_view kOciLayer = "application/vnd.oci.image.layer.v1.tar+gzip";

// Registries take no larger manifests, and no honest config comes near.
inline constexpr int64_t kMaxManifestSize = 4 << 20;
inline constexpr int64_t kMaxConfigSize = 4 << 20;

using Annotations = std::map<std::string, std::string>;

struct Descriptor {
  std::string media_type;
  Digest digest;
  int64_t size = 0;
  std::optional<Platform> platform = std::nullopt;  // In lists; normal form.
  // In lists: what else an entry says of itself.
  std::string os_version = {};     // platform's "os.version": which Windows.
  std::string artifact_type = {};  // OCI 1.1: what is no image says so here.
  Annotations annotations = {};
};

// An entry of a list that is no image to run but says something about one: BuildKit's attestations
// (platform unknown/unknown, annotated with what they are).
bool IsAttestation(const Descriptor& entry);
// The digest of the image that an attestation is about; nullopt where it does not say.
std::optional<Digest> AttestedImage(const Descriptor& entry);

struct ImageManifest {
  std::string media_type;  // kDockerManifest or kOciManifest.
  Descriptor config;
  std::vector<Descriptor> layers;
};

struct ManifestList {
  std::string media_type;  // kDockerList or kOciIndex.
  std::vector<Descriptor> manifests;
  Annotations annotations = {};
};

using Manifest = std::variant<ImageManifest, ManifestList>;

// Reads any manifest. `content_type` is the HTTP header's value (parameters are ignored): it must
// agree with the body's mediaType where both are specific; it decides where the body has none.
// Schema 1 is recognised and refused. Errors are sentences.
absl::StatusOr<Manifest> ParseManifest(absl::string_view bytes, absl::string_view content_type);

// The media type of a parsed manifest.
const std::string& MediaType(const Manifest& manifest);

// What manyarch needs of an image's config.
struct ImageConfig {
  Platform platform;    // Normal form.
  std::string spelled;  // As written: "linux/arm64/v8".
};
absl::StatusOr<ImageConfig> ParseImageConfig(absl::string_view bytes);

// One image of a list to be built.
struct ListEntry {
  std::string media_type;
  Digest digest;
  int64_t size = 0;
  Platform platform;
  Annotations annotations = {};  // Of the entry; OCI only.
};

// What images and lists are written as: Docker v2s2, or OCI.
enum class Format { kDocker, kOci };

// Exact bytes to be pushed.
struct WrittenManifest {
  std::string bytes;
  Digest digest;
  std::string media_type;
};

// The exact bytes of a list: the same for the same entries, for ever (they are written down before
// they are published). amd64 comes first, then the order given, then entries that are no images
// (attestations); arm64 is written with variant v8 in both formats, because old clients pass over
// it without. Refuses no entries, two images of one platform, children of the other format (see
// registry/convert.h), and annotations in a Docker list, which has no place for them.
absl::StatusOr<WrittenManifest> BuildManifestList(absl::Span<const ListEntry> entries,
                                                  Format format = Format::kDocker,
                                                  const Annotations& annotations = {});

}  // namespace manyarch::registry
