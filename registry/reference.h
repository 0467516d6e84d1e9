// Image references in normal form, by the grammar of the distribution project: docker.io and
// library/ are filled in, a missing tag is `latest`.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/digest.h"

namespace manyarch::registry {

// Where an image is. Made by the functions below; then always in normal form.
struct Reference {
  std::string registry;          // "docker.io", "registry.example.com:5000", "[::1]:5000"
  std::string repository;        // "library/alpine"
  std::string tag;               // Empty where there is none.
  std::optional<Digest> digest;  // Wins over the tag where both are there.

  // "docker.io/library/alpine"
  std::string Repository() const { return registry + "/" + repository; }
  // "docker.io/library/alpine:latest", "host/x@sha256:…", "host/x:1@sha256:…"
  std::string ToString() const;
  // What stands in the path of a manifest's URL: the digest, else the tag.
  std::string ManifestName() const { return digest ? digest->ToString() : tag; }

  Reference WithTag(absl::string_view new_tag) const;
  Reference WithDigest(const Digest& new_digest) const;

  friend bool operator==(const Reference&, const Reference&) = default;
};

// Any reference. With neither tag nor digest it means the tag `latest`. Errors say what is wrong
// and where (positions count from 1).
absl::StatusOr<Reference> ParseReference(absl::string_view text);

// A tag to be written: as ParseReference, but a digest is refused.
absl::StatusOr<Reference> ParseTagReference(absl::string_view text);

// "host[:port]/path" with neither tag nor digest.
absl::StatusOr<Reference> ParseRepository(absl::string_view text);

// Whether `tag` may be a tag: a letter, digit or '_', then up to 127 of these, '.' and '-'.
bool IsTag(absl::string_view tag);

// The host that serves the API of a registry: "docker.io" is served by "registry-1.docker.io".
std::string ApiHost(absl::string_view registry);

// Whether a registry ("host[:port]") is on a loopback address of whoever asks: localhost,
// *.localhost, 127.0.0.0/8, ::1.
bool IsLoopback(absl::string_view registry);

// "host:5000" → "host", "[::1]:5000" → "::1".
std::string HostWithoutPort(absl::string_view registry);

}  // namespace manyarch::registry
