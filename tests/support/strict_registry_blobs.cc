// Blobs and uploads of the strict registry.
#include <cstdio>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/strict_registry_target.h"

namespace manyarch::testing {

namespace {

HttpAnswer Bytes(const std::string& blob, const std::string& digest) {
  HttpAnswer answer;
  answer.body = blob;
  answer.content_type = "application/octet-stream";
  answer.in_parts = true;
  answer.headers = {{"Docker-Content-Digest", digest}, {"Accept-Ranges", "bytes"}};
  return answer;
}

HttpAnswer Created(const std::string& repository, const std::string& digest) {
  HttpAnswer answer;
  answer.status = 201;
  answer.headers = {{"Location", absl::StrCat("/v2/", repository, "/blobs/", digest)},
                    {"Docker-Content-Digest", digest}};
  return answer;
}

}  // namespace

HttpAnswer StrictRegistry::OnBlob(const HttpRequest& request, const Target& target) {
  StoredRepository& repository = repositories_[target.repository];
  const auto blob = repository.blobs.find(target.name);
  if (!IsDigest(target.name)) return Refuse(400, "DIGEST_INVALID", "invalid digest");
  if (blob == repository.blobs.end()) {
    return Refuse(404, "BLOB_UNKNOWN", "blob unknown to registry",
                  absl::StrCat("{\"digest\":\"", target.name, "\"}"));
  }
  if (request.method == "DELETE") {
    repository.blobs.erase(blob);
    return HttpAnswer{202, {}, ""};
  }
  if (rules_.redirects_blobs && request.method == "GET") {
    HttpAnswer answer;
    answer.status = 307;
    answer.headers.emplace_back(
        "Location", absl::StrCat("http://", storage_->host(), "/", target.repository, "/",
                                 target.name, "?signature=abc%2Bdef"));
    return answer;
  }
  return Bytes(blob->second, target.name);
}

// As object storage does: the signature in the query is one way to authenticate, and a second one
// is an error.
HttpAnswer StrictRegistry::FromStorage(const HttpRequest& request) const {
  if (request.headers.count("authorization") > 0 || request.query != "signature=abc%2Bdef") {
    HttpAnswer answer;
    answer.status = 400;
    answer.body =
        "<Error><Code>InvalidArgument</Code><Message>Only one auth mechanism "
        "allowed</Message></Error>";
    answer.content_type = "application/xml";
    return answer;
  }
  const size_t slash = request.path.rfind('/');
  absl::MutexLock lock(&mutex_);
  const auto repository = repositories_.find(request.path.substr(1, slash - 1));
  if (repository == repositories_.end()) return HttpAnswer{404, {}, ""};
  const std::string digest = request.path.substr(slash + 1);
  const auto blob = repository->second.blobs.find(digest);
  return blob == repository->second.blobs.end() ? HttpAnswer{404, {}, ""}
                                                : Bytes(blob->second, digest);
}

HttpAnswer StrictRegistry::DescribeUpload(int status, const Target& target) {
  const StoredUpload& upload = repositories_[target.repository].uploads.at(target.name);
  HttpAnswer answer;
  answer.status = status;
  answer.headers = {
      {"Location",
       absl::StrCat(rules_.absolute_location ? "http://" + server_->host() : "", "/v2/",
                    target.repository, "/blobs/uploads/", target.name, "?_state=", upload.state)},
      {"Range", absl::StrCat("0-", upload.bytes.empty() ? 0 : upload.bytes.size() - 1)},
      {"Docker-Upload-UUID", target.name}};
  return answer;
}

HttpAnswer StrictRegistry::OpenUpload(const HttpRequest& request, const Target& target) {
  if (request.method != "POST") return Refuse(405, "UNSUPPORTED", "The operation is unsupported.");
  StoredRepository& repository = repositories_[target.repository];
  if (request.HasParam("mount")) {
    const std::string digest = request.Param("mount");
    if (!request.HasParam("from") && rules_.mount_needs_from) {
      return Refuse(400, "BLOB_UPLOAD_INVALID", "mount without from");
    }
    const auto from = repositories_.find(request.Param("from"));
    if (from != repositories_.end() && from->second.blobs.count(digest) > 0) {
      repository.blobs[digest] = from->second.blobs.at(digest);
      return Created(target.repository, digest);
    }
  } else if (request.HasParam("digest") && rules_.stores_posted_blob) {
    const std::string digest = Digest::Of(request.body).ToString();
    if (digest != request.Param("digest")) {
      return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    repository.blobs[digest] = request.body;
    return Created(target.repository, digest);
  }
  const std::string id = absl::StrCat("upload-", ++next_upload_);
  repository.uploads[id];
  return DescribeUpload(202, {Target::kUpload, target.repository, id});
}

HttpAnswer StrictRegistry::OnUpload(const HttpRequest& request, const Target& target, bool cut) {
  StoredRepository& repository = repositories_[target.repository];
  const auto found = repository.uploads.find(target.name);
  if (found == repository.uploads.end()) {
    return Refuse(404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
  }
  if (request.method == "GET") return DescribeUpload(204, target);
  if (request.method == "DELETE") {
    if (!rules_.cancels_uploads) return Refuse(405, "UNSUPPORTED", "The operation is unsupported.");
    repository.uploads.erase(found);
    return HttpAnswer{204, {}, ""};
  }
  StoredUpload& upload = found->second;
  if (request.Param("_state") != absl::StrCat(upload.state)) {
    return Refuse(400, "BLOB_UPLOAD_INVALID", "the upload goes on at its last Location");
  }
  const std::string range = request.Header("content-range");
  unsigned long from = 0;
  unsigned long to = 0;
  if (!range.empty() && (std::sscanf(range.c_str(), "%lu-%lu", &from, &to) != 2 ||
                         from != upload.bytes.size() || to + 1 - from != request.body.size())) {
    return DescribeUpload(416, target);
  }
  upload.bytes += cut ? request.body.substr(0, request.body.size() / 2) : request.body;
  if (cut) return {};
  ++upload.state;
  if (request.method == "PATCH") return DescribeUpload(rules_.patch_status, target);
  if (request.method == "PUT") return FinishUpload(request, target);
  return Refuse(405, "UNSUPPORTED", "The operation is unsupported.");
}

HttpAnswer StrictRegistry::FinishUpload(const HttpRequest& request, const Target& target) {
  StoredRepository& repository = repositories_[target.repository];
  const std::string bytes = repository.uploads.at(target.name).bytes;
  const std::string digest = Digest::Of(bytes).ToString();
  repository.uploads.erase(target.name);
  if (digest != request.Param("digest")) {
    return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  repository.blobs[digest] = bytes;
  return Created(target.repository, digest);
}

}  // namespace manyarch::testing
