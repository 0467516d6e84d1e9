#include "tests/support/test_image.h"

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "registry/manifest.h"

namespace manyarch::testing {

namespace {
using registry::Request;
using registry::Response;

std::string DescriptorJson(absl::string_view type, const std::string& bytes) {
  return absl::StrCat(R"({"mediaType":")", type, R"(","size":)", bytes.size(), R"(,"digest":")",
                      Digest::Of(bytes).ToString(), R"("})");
}

absl::Status Want(const absl::StatusOr<Response>& response, int status, absl::string_view what) {
  if (!response.ok()) return Annotate(response.status(), what);
  if (response->status == status) return absl::OkStatus();
  return absl::InternalError(absl::StrCat(what, ": ", response->StatusText(), " ", response->body));
}
}  // namespace

TestImage MakeTestImage(absl::string_view config_platform, absl::string_view seed, bool oci) {
  TestImage image;
  image.layer = absl::StrCat("not really a layer, nobody looks: ", seed);
  image.config = absl::StrCat("{", config_platform, R"(,"rootfs":{"type":"layers","diff_ids":[")",
                              Digest::Of(image.layer).ToString(), R"("]},"config":{},"comment":")",
                              seed, R"("})");
  image.media_type = std::string(oci ? registry::kOciManifest : registry::kDockerManifest);
  image.manifest = absl::StrCat(
      R"({"schemaVersion":2,"mediaType":")", image.media_type, R"(","config":)",
      DescriptorJson(oci ? registry::kOciConfig : registry::kDockerConfig, image.config),
      R"(,"layers":[)",
      DescriptorJson(oci ? "application/vnd.oci.image.layer.v1.tar+gzip" : registry::kDockerLayer,
                     image.layer),
      "]}");
  return image;
}

RawRegistry::RawRegistry(registry::HttpTransport* transport, std::string host,
                         std::optional<registry::Credentials> credentials)
    : transport_(transport),
      base_("http://" + std::move(host)),
      credentials_(std::move(credentials)) {}

absl::StatusOr<Response> RawRegistry::Send(const std::string& method, const std::string& path,
                                           const std::string& body,
                                           const std::string& content_type) {
  Request request;
  request.method = method;
  request.url = absl::StartsWith(path, "http") ? path : base_ + path;
  request.body = body;
  if (!content_type.empty()) request.headers.emplace_back("Content-Type", content_type);
  request.headers.emplace_back(
      "Accept", absl::StrCat(registry::kDockerList, ", ", registry::kDockerManifest, ", ",
                             registry::kOciIndex, ", ", registry::kOciManifest));
  if (credentials_) {
    request.headers.emplace_back(
        "Authorization", "Basic " + absl::Base64Escape(absl::StrCat(credentials_->user, ":",
                                                                    credentials_->password)));
  }
  return transport_->Send(request, nullptr);
}

absl::Status RawRegistry::PushBlob(const std::string& repository, const std::string& blob) {
  const auto open = Send("POST", absl::StrCat("/v2/", repository, "/blobs/uploads/"));
  MA_RETURN_IF_ERROR(Want(open, 202, "opening an upload"));
  const std::string location = open->Header("location");
  return Want(Send("PUT",
                   absl::StrCat(location, absl::StrContains(location, '?') ? "&" : "?",
                                "digest=", Digest::Of(blob).ToString()),
                   blob, "application/octet-stream"),
              201, "uploading a blob");
}

absl::Status RawRegistry::Push(const std::string& repository, const TestImage& image) {
  MA_RETURN_IF_ERROR(PushBlob(repository, image.config));
  MA_RETURN_IF_ERROR(PushBlob(repository, image.layer));
  return Want(
      Send("PUT", absl::StrCat("/v2/", repository, "/manifests/", image.digest().ToString()),
           image.manifest, image.media_type),
      201, "pushing a manifest");
}

absl::StatusOr<Response> RawRegistry::Manifest(const std::string& repository,
                                               const std::string& name) {
  return Send("GET", absl::StrCat("/v2/", repository, "/manifests/", name));
}

}  // namespace manyarch::testing
