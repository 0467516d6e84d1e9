#include "tests/bench/control_plane/memory_registry.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace manyarch::bench {

namespace {

registry::Response Answer(int status, std::string body = "",
                          std::vector<std::pair<std::string, std::string>> headers = {}) {
  registry::Response response;
  response.status = status;
  response.body = std::move(body);
  response.headers = std::move(headers);
  return response;
}

}  // namespace

testing::TestImage MemoryRegistry::ImageFor(const std::string& arch) {
  return testing::MakeTestImage(absl::StrCat(R"("os":"linux","architecture":")", arch, "\""));
}

MemoryRegistry::MemoryRegistry() {
  for (const char* arch : {"amd64", "arm64", "s390x", "riscv64"}) {
    const testing::TestImage image = ImageFor(arch);
    fixed_[image.digest().ToString()] = {image.manifest, image.media_type};
    fixed_[Digest::Of(image.config).ToString()] = {image.config, "application/octet-stream"};
  }
}

absl::StatusOr<registry::Response> MemoryRegistry::Send(const registry::Request& request,
                                                        const absl::Notification*) {
  if (absl::EndsWith(request.url, "/blobs/uploads/")) {
    return Answer(202, "", {{"location", absl::StrCat(request.url, "1")}});
  }
  if (request.method == "DELETE") return Answer(204);
  const size_t slash = request.url.rfind('/');
  std::string digest = request.url.substr(slash + 1);
  if (request.method == "PUT") {
    const std::string of_body = Digest::Of(request.body).ToString();
    absl::MutexLock lock(&mutex_);
    tags_[request.url] = of_body;
    return Answer(201, "", {{"docker-content-digest", of_body}});
  }
  if (!absl::StartsWith(digest, "sha256:")) {
    absl::MutexLock lock(&mutex_);
    const auto tag = tags_.find(request.url);
    if (tag == tags_.end()) return Answer(request.url.back() == '/' ? 200 : 404);
    return Answer(200, "", {{"docker-content-digest", tag->second}});
  }
  const auto fixed = fixed_.find(digest);
  if (fixed == fixed_.end()) {
    absl::MutexLock lock(&mutex_);
    return tags_.contains(request.url) ? Answer(200, "", {{"docker-content-digest", digest}})
                                       : Answer(404);
  }
  return Answer(200, request.method == "HEAD" ? "" : fixed->second.bytes,
                {{"docker-content-digest", digest}, {"content-type", fixed->second.media_type}});
}

}  // namespace manyarch::bench
