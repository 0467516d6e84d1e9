// Images of one format made images of the other, by rewriting their manifests. Pure.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "registry/manifest.h"

namespace manyarch::registry {

// The image whose manifest `bytes` are, as an image of `format`: the very same bytes where it is
// one already. Else only the manifest is written anew, the same for the same bytes, for ever;
// config and layers stay the blobs they are and change their media types in the descriptors alone.
// So:
//  - layers must be gzip where a Docker image is made (v2s2 has no others), and gzip, zstd or plain
//    tar where an OCI image is made; foreign layers, whose bytes are elsewhere, are refused;
//  - the config must be an image's;
//  - whatever else the manifest says and the other format cannot say is refused: annotations,
//    subject, artifactType, embedded data. Left out without a word are only
//    org.opencontainers.image.base.name and .digest, which buildah writes unasked and which change
//    nothing about the image.
// Lists and schema 1 are refused. INVALID_ARGUMENT; errors name the layer or the field, and say
// what to do.
absl::StatusOr<WrittenManifest> ConvertImage(absl::string_view bytes,
                                             absl::string_view content_type, Format format);

// Whether a layer of this type is no blob of the registry but is got from elsewhere.
bool IsForeignLayer(absl::string_view media_type);

// Whether each descriptor of an image is of the type that its format has. (A registry may have
// taken anything.) INVALID_ARGUMENT, naming the layer.
absl::Status CheckMediaTypes(const ImageManifest& image);

// What another repository needs of an image before it takes its manifest: config and layers, each
// once; foreign layers are elsewhere anyway.
std::vector<Descriptor> BlobsToCopy(const ImageManifest& image);

}  // namespace manyarch::registry
