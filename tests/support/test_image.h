// Small images, pushed as a build would have: config, one layer, manifest.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "common/base/digest.h"
#include "registry/auth_file.h"
#include "registry/http.h"

namespace manyarch::testing {

struct TestImage {
  std::string manifest;
  std::string media_type;
  std::string config;
  std::string layer;

  Digest digest() const { return Digest::Of(manifest); }
  int64_t size() const { return static_cast<int64_t>(manifest.size()); }
};

// `config_platform` is the inside of the config's object: R"("os":"linux","architecture":"arm64")".
// Images with different `seed` differ.
TestImage MakeTestImage(absl::string_view config_platform, absl::string_view seed = "",
                        bool oci = false);

// Plain http requests to one registry, as a test makes them; Basic credentials if given.
class RawRegistry {
 public:
  RawRegistry(registry::HttpTransport* transport, std::string host,
              std::optional<registry::Credentials> credentials = std::nullopt);

  absl::StatusOr<registry::Response> Send(const std::string& method, const std::string& path,
                                          const std::string& body = "",
                                          const std::string& content_type = "");
  absl::Status PushBlob(const std::string& repository, const std::string& blob);
  // Blobs, then the manifest by digest.
  absl::Status Push(const std::string& repository, const TestImage& image);
  // What a tag or digest leads to, by GET with every manifest type accepted.
  absl::StatusOr<registry::Response> Manifest(const std::string& repository,
                                              const std::string& name);

 private:
  registry::HttpTransport* const transport_;
  const std::string base_;
  const std::optional<registry::Credentials> credentials_;
};

}  // namespace manyarch::testing
