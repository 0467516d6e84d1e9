// Manifests, lists and indexes, as registries answer. The first line is the Content-Type.
#include <cstddef>
#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "registry/convert.h"
#include "registry/manifest.h"
#include "tests/fuzz/check.h"

namespace manyarch {
namespace {

// A list that we could have built is built to bytes that parse to the same list.
void CheckList(const registry::ManifestList& list) {
  const bool docker = list.media_type == registry::kDockerList;
  std::vector<registry::ListEntry> entries;
  for (const registry::Descriptor& one : list.manifests) {
    if (!one.platform) return;
    registry::ListEntry entry{one.media_type, one.digest, one.size, *one.platform};
    entries.push_back(std::move(entry));
  }
  const auto format = docker ? registry::Format::kDocker : registry::Format::kOci;
  const auto built = registry::BuildManifestList(entries, format);
  if (!built.ok()) {
    CheckSentence(built.status());
    return;
  }
  FUZZ_CHECK(built->digest == Digest::Of(built->bytes));
  const auto again = registry::ParseManifest(built->bytes, built->media_type);
  FUZZ_CHECK(again.ok());
  const auto& parsed = std::get<registry::ManifestList>(*again);
  FUZZ_CHECK(parsed.manifests.size() == entries.size());
  std::vector<registry::ListEntry> second;
  for (const registry::Descriptor& one : parsed.manifests) {
    FUZZ_CHECK(one.platform.has_value());
    second.push_back({one.media_type, one.digest, one.size, *one.platform});
  }
  const auto rebuilt = registry::BuildManifestList(second, format);
  FUZZ_CHECK(rebuilt.ok());
  FUZZ_CHECK(rebuilt->bytes == built->bytes);
}

}  // namespace
}  // namespace manyarch

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace manyarch;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const size_t line = text.find('\n');
  if (line == std::string::npos) return 0;
  const std::string type = text.substr(0, line);
  const std::string bytes = text.substr(line + 1);
  const auto manifest = registry::ParseManifest(bytes, type);
  if (!manifest.ok()) {
    CheckSentence(manifest.status());
    return 0;
  }
  const auto again = registry::ParseManifest(bytes, registry::MediaType(*manifest));
  FUZZ_CHECK(again.ok());
  FUZZ_CHECK(registry::MediaType(*again) == registry::MediaType(*manifest));
  if (const auto* list = std::get_if<registry::ManifestList>(&*manifest)) {
    CheckList(*list);
    return 0;
  }
  for (const auto format : {registry::Format::kDocker, registry::Format::kOci}) {
    const auto converted = registry::ConvertImage(bytes, type, format);
    if (!converted.ok()) {
      CheckSentence(converted.status());
      continue;
    }
    const auto parsed = registry::ParseManifest(converted->bytes, converted->media_type);
    FUZZ_CHECK(parsed.ok());
    const auto& before = std::get<registry::ImageManifest>(*manifest);
    const auto& after = std::get<registry::ImageManifest>(*parsed);
    FUZZ_CHECK(after.config.digest == before.config.digest);
    FUZZ_CHECK(after.layers.size() == before.layers.size());
  }
  return 0;
}
