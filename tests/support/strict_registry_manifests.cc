// Manifests and tags of the strict registry.
#include <nlohmann/json.hpp>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "tests/support/strict_registry_target.h"

namespace manyarch::testing {

namespace {

// "*/*" does not count: registries look for the very type.
bool Accepts(const HttpRequest& request, const std::string& type) {
  const auto [begin, end] = request.headers.equal_range("accept");
  for (auto header = begin; header != end; ++header) {
    for (const absl::string_view item : absl::StrSplit(header->second, ',')) {
      if (absl::StripAsciiWhitespace(item.substr(0, item.find(';'))) == type) return true;
    }
  }
  return false;
}

HttpAnswer UnknownManifest(const std::string& name) {
  return Refuse(404, "MANIFEST_UNKNOWN", "manifest unknown", nlohmann::json{{"Tag", name}}.dump());
}

}  // namespace

HttpAnswer StrictRegistry::OnManifest(const HttpRequest& request, const Target& target) {
  const std::string what = target.repository + "@" + Digest::Of(request.body).ToString();
  const bool alone = rules_.one_tag_at_a_time && request.method == "PUT";
  if (alone) {
    {
      absl::MutexLock lock(&mutex_);
      if (!being_written_.insert(what).second) {
        return Refuse(400, "MANIFEST_INVALID", "manifest invalid");
      }
    }
    absl::SleepFor(absl::Milliseconds(5));  // Long enough for a second one to come.
  }
  absl::MutexLock lock(&mutex_);
  if (alone) being_written_.erase(what);
  if (request.method == "GET" || request.method == "HEAD") return ReadManifest(request, target);
  if (request.method == "PUT") return WriteManifest(request, target);
  if (request.method == "DELETE") return DeleteManifest(target);
  return Refuse(405, "UNSUPPORTED", "The operation is unsupported.");
}

HttpAnswer StrictRegistry::ReadManifest(const HttpRequest& request, const Target& target) {
  const auto repository = repositories_.find(target.repository);
  if (repository == repositories_.end()) return UnknownManifest(target.name);
  std::string digest;
  const StoredManifest* manifest = repository->second.Find(target.name, &digest);
  if (manifest == nullptr) return UnknownManifest(target.name);
  const auto accepts = [&](const std::string& type) { return Accepts(request, type); };
  std::optional<StoredManifest> shown = *manifest;
  if (!accepts(manifest->media_type)) {
    shown = rules_.converts ? Convert(repository->second, target.repository, *manifest, accepts)
                            : std::nullopt;
    if (!shown) return UnknownManifest(target.name);
    digest = Digest::Of(shown->bytes).ToString();
  }
  HttpAnswer answer;
  answer.body = shown->bytes;
  answer.content_type = shown->media_type;
  if (rules_.digest_header) answer.headers.emplace_back("Docker-Content-Digest", digest);
  return answer;
}

HttpAnswer StrictRegistry::WriteManifest(const HttpRequest& request, const Target& target) {
  StoredRepository& repository = repositories_[target.repository];
  const std::string type = request.Header("content-type");
  const std::string digest = Digest::Of(request.body).ToString();
  const bool by_digest = absl::StrContains(target.name, ':');
  if (by_digest && target.name != digest) {
    return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
  }
  if (auto refusal = JudgeManifest(rules_, repository, type, request.body)) return *refusal;
  if (!by_digest) {
    const auto tag = repository.tags.find(target.name);
    if (rules_.immutable_tags && tag != repository.tags.end() && tag->second != digest) {
      return Refuse(400, "TAG_INVALID",
                    absl::StrCat("The image tag '", target.name, "' already exists in the '",
                                 target.repository,
                                 "' repository and cannot be overwritten because the tag is "
                                 "immutable."));
    }
    repository.tags[target.name] = digest;
  }
  repository.manifests[digest] = {request.body, type.substr(0, type.find(';')), options_.clock()};
  HttpAnswer answer;
  answer.status = 201;
  answer.headers.emplace_back("Location",
                              absl::StrCat("/v2/", target.repository, "/manifests/", digest));
  if (rules_.digest_header) answer.headers.emplace_back("Docker-Content-Digest", digest);
  return answer;
}

HttpAnswer StrictRegistry::DeleteManifest(const Target& target) {
  StoredRepository& repository = repositories_[target.repository];
  HttpAnswer answer;
  answer.status = 202;
  if (!rules_.deletes_manifests) {
    return Refuse(405, "UNSUPPORTED", "The operation is unsupported.");
  }
  if (!IsDigest(target.name)) {
    if (!rules_.deletes_tags) {
      return Refuse(400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    }
    return repository.tags.erase(target.name) > 0 ? answer : UnknownManifest(target.name);
  }
  if (repository.manifests.erase(target.name) == 0) return UnknownManifest(target.name);
  std::erase_if(repository.tags, [&](const auto& tag) { return tag.second == target.name; });
  return answer;
}

HttpAnswer StrictRegistry::ListTags(const HttpRequest& request, const Target& target) {
  const auto repository = repositories_.find(target.repository);
  if (repository == repositories_.end()) {
    return Refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
  }
  std::vector<std::string> names;
  for (const auto& [tag, digest] : repository->second.tags) names.push_back(tag);
  if (rules_.digests_in_tag_list) {
    for (const auto& [digest, manifest] : repository->second.manifests) names.push_back(digest);
  }
  nlohmann::json tags = nlohmann::json::array();
  size_t most = names.size();
  if (int n = 0; absl::SimpleAtoi(request.Param("n"), &n) && n > 0) most = static_cast<size_t>(n);
  HttpAnswer answer;
  for (const std::string& name : names) {
    if (request.HasParam("last") && name <= request.Param("last")) continue;
    if (tags.size() == most) {
      answer.headers.emplace_back(
          "Link", absl::StrCat("</v2/", target.repository, "/tags/list?last=",
                               tags.back().get<std::string>(), "&n=", most, ">; rel=\"next\""));
      break;
    }
    tags.push_back(name);
  }
  if (names.empty() && rules_.null_tag_list) tags = nullptr;
  answer.body = nlohmann::json{{"name", target.repository}, {"tags", tags}}.dump();
  return answer;
}

}  // namespace manyarch::testing
