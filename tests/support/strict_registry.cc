#include "tests/support/strict_registry.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "tests/support/strict_registry_target.h"

namespace manyarch::testing {

namespace {

constexpr char kGarbage[] = "<html>Please log in to the hotel's network</html>";

// Whether one more fits into the second that ends now.
bool Fits(std::vector<absl::Time>& recent, int limit, absl::Time now) {
  std::erase_if(recent, [&](absl::Time time) { return time <= now - absl::Seconds(1); });
  if (limit > 0 && static_cast<int>(recent.size()) >= limit) return false;
  recent.push_back(now);
  return true;
}

}  // namespace

bool IsDigest(const std::string& text) { return Digest::Parse(text).ok(); }

StrictRegistry::Target StrictRegistry::Target::Of(const std::string& path) {
  absl::string_view rest = path;
  if (!absl::ConsumePrefix(&rest, "/v2/")) return {};
  if (rest.empty()) return {kBase, "", ""};
  if (absl::ConsumeSuffix(&rest, "/tags/list")) return {kTags, std::string(rest), ""};
  const auto split = [&](absl::string_view middle, Kind kind) {
    const size_t at = rest.rfind(middle);
    if (at == absl::string_view::npos) return Target{};
    return Target{kind, std::string(rest.substr(0, at)),
                  std::string(rest.substr(at + middle.size()))};
  };
  Target target = split("/blobs/uploads/", kUpload);
  if (target.kind == kUpload && target.name.empty()) target.kind = kUploads;
  if (target.kind == kNothing) target = split("/blobs/", kBlob);
  if (target.kind == kNothing) target = split("/manifests/", kManifest);
  return target;
}

StrictRegistry::StrictRegistry(StrictRegistryOptions options)
    : options_(std::move(options)), dice_(options_.faults) {
  storage_ = std::make_unique<HttpServer>(
      [this](const HttpRequest& request) { return FromStorage(request); });
  server_ =
      std::make_unique<HttpServer>([this](const HttpRequest& request) { return Answer(request); });
}

StrictRegistry::~StrictRegistry() = default;

HttpAnswer StrictRegistry::Answer(const HttpRequest& request) {
  Fault fault = dice_.Roll();
  const bool reads = request.method == "GET" || request.method == "HEAD";
  if (fault == Fault::kUploadCut && request.body.empty()) fault = Fault::kResetBefore;
  HttpAnswer answer;
  answer.status = 0;
  if (fault != Fault::kGarbageBody || reads) answer = dice_.Instead(fault, options_.clock());
  if (answer.status == 0) {
    answer = Handle(request, fault);
    answer.headers.emplace_back("Docker-Distribution-Api-Version", "registry/2.0");
    if (fault == Fault::kGarbageBody) answer.body = kGarbage;
    dice_.Spoil(fault, answer);
  }
  absl::MutexLock lock(&mutex_);
  requests_.push_back({request, options_.clock(), fault, answer.status});
  return answer;
}

HttpAnswer StrictRegistry::Handle(const HttpRequest& request, Fault fault) {
  if (!options_.realm.empty() && request.path == options_.realm && options_.tokens != nullptr) {
    return options_.tokens->Answer(request);
  }
  const Target target = Target::Of(request.path);
  if (target.kind == Target::kNothing) return HttpAnswer{404, {}, "404 page not found"};
  if (auto refusal = CheckRights(request, target)) return *refusal;
  const bool cut = fault == Fault::kUploadCut;
  if (cut && target.kind != Target::kUpload) return {};
  {
    absl::MutexLock lock(&mutex_);
    if (auto refusal = CheckRate(request, target)) return *refusal;
    if (target.kind == Target::kBase) return HttpAnswer{200, {}, "{}"};
    if (rules_.two_part_names && !absl::StrContains(target.repository, '/')) {
      return Refuse(404, "NAME_UNKNOWN", "repository name not known to registry");
    }
    if (rules_.repositories_must_exist && repositories_.count(target.repository) == 0) {
      return Refuse(404, "NAME_UNKNOWN",
                    "The repository with name '" + target.repository + "' does not exist");
    }
    if (rules_.untagged_expires != absl::InfiniteDuration()) {
      for (auto& [name, repository] : repositories_) {
        repository.Expire(options_.clock() - rules_.untagged_expires);
      }
    }
    switch (target.kind) {
      case Target::kBlob:
        return OnBlob(request, target);
      case Target::kUploads:
        return OpenUpload(request, target);
      case Target::kUpload:
        return OnUpload(request, target, cut);
      case Target::kTags:
        return ListTags(request, target);
      default:
        break;
    }
  }
  return OnManifest(request, target);
}

std::optional<HttpAnswer> StrictRegistry::CheckRights(const HttpRequest& request,
                                                      const Target& target) const {
  const bool reads = request.method == "GET" || request.method == "HEAD";
  const bool pulls = reads && target.kind != Target::kUpload;
  const std::string shown = request.Header("authorization");
  std::string challenge;
  int status = 401;
  if (options_.basic) {
    const std::string wanted = "Basic " + absl::Base64Escape(absl::StrCat(
                                              options_.basic->user, ":", options_.basic->password));
    if (shown == wanted) return std::nullopt;
    challenge = R"(Basic realm="strict registry")";
  } else if (options_.tokens != nullptr) {
    std::string error;
    if (absl::string_view token = shown; absl::ConsumePrefix(&token, "Bearer ")) {
      const auto claims = options_.tokens->Verify(std::string(token));
      const std::string from = request.Param("from");
      if (claims && (target.kind == Target::kBase ||
                     (claims->Allows(target.repository, pulls ? "pull" : "push") &&
                      (from.empty() || claims->Allows(from, "pull"))))) {
        return std::nullopt;
      }
      error = claims ? R"(,error="insufficient_scope")" : R"(,error="invalid_token")";
      if (claims) status = rules_.denied_status;
    }
    challenge = absl::StrCat(R"(Bearer realm=")",
                             options_.realm.empty() ? options_.tokens->realm() : options_.realm,
                             R"(",service=")", options_.tokens->service(), "\"");
    if (!target.repository.empty()) {
      absl::StrAppend(&challenge, R"(,scope="repository:)", target.repository,
                      pulls ? ":pull\"" : ":pull,push\"");
    }
    challenge += error;
  } else {
    return std::nullopt;
  }
  HttpAnswer answer = status == 401
                          ? Refuse(401, "UNAUTHORIZED", "authentication required")
                          : Refuse(status, "DENIED", "requested access to the resource is denied");
  if (rules_.challenges_everywhere || target.kind == Target::kBase) {
    answer.headers.emplace_back("WWW-Authenticate", challenge);
  }
  return answer;
}

std::optional<HttpAnswer> StrictRegistry::CheckRate(const HttpRequest& request,
                                                    const Target& target) {
  const absl::Time now = options_.clock();
  if (!Fits(recent_, rules_.requests_per_second, now)) {
    return Refuse(429, "TOOMANYREQUESTS", "Rate exceeded");
  }
  if (target.kind != Target::kManifest) return std::nullopt;
  if (request.method == "PUT" && !Fits(recent_puts_, rules_.puts_per_second, now)) {
    return Refuse(429, "TOOMANYREQUESTS", "Rate exceeded");
  }
  if (request.method == "GET" && rules_.manifest_gets > 0 &&
      ++manifest_gets_ > rules_.manifest_gets) {
    HttpAnswer answer = Refuse(429, "TOOMANYREQUESTS", "You have reached your pull rate limit.");
    answer.headers.emplace_back("ratelimit-limit", absl::StrCat(rules_.manifest_gets, ";w=21600"));
    answer.headers.emplace_back("ratelimit-remaining", "0;w=21600");
    return answer;
  }
  return std::nullopt;
}

void StrictRegistry::CreateRepository(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  repositories_.try_emplace(name);
}

void StrictRegistry::Hold(const std::string& repository, const TestImage& image) {
  absl::MutexLock lock(&mutex_);
  StoredRepository& stored = repositories_[repository];
  for (const std::string& blob : {image.config, image.layer}) {
    stored.blobs[Digest::Of(blob).ToString()] = blob;
  }
  stored.manifests[image.digest().ToString()] = {image.manifest, image.media_type,
                                                 options_.clock()};
}

std::string StrictRegistry::BytesOf(const std::string& repository, const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return "";
  std::string digest;
  const StoredManifest* manifest = found->second.Find(name, &digest);
  return manifest == nullptr ? "" : manifest->bytes;
}

std::map<std::string, std::string> StrictRegistry::Tags(const std::string& repository) const {
  absl::MutexLock lock(&mutex_);
  const auto found = repositories_.find(repository);
  return found == repositories_.end() ? std::map<std::string, std::string>() : found->second.tags;
}

std::string StrictRegistry::BlobOf(const std::string& repository, const Digest& digest) const {
  absl::MutexLock lock(&mutex_);
  const auto found = repositories_.find(repository);
  if (found == repositories_.end()) return "";
  const auto blob = found->second.blobs.find(digest.ToString());
  return blob == found->second.blobs.end() ? "" : blob->second;
}

size_t StrictRegistry::Uploads(const std::string& repository) const {
  absl::MutexLock lock(&mutex_);
  const auto found = repositories_.find(repository);
  return found == repositories_.end() ? 0 : found->second.uploads.size();
}

std::vector<RecordedRequest> StrictRegistry::Requests() const {
  absl::MutexLock lock(&mutex_);
  return requests_;
}

int StrictRegistry::Count(const std::string& method, const std::string& part) const {
  const std::vector<RecordedRequest> requests = Requests();
  return static_cast<int>(
      std::count_if(requests.begin(), requests.end(), [&](const RecordedRequest& recorded) {
        return recorded.request.method == method && absl::StrContains(recorded.request.path, part);
      }));
}

void StrictRegistry::Forget() {
  absl::MutexLock lock(&mutex_);
  requests_.clear();
}

}  // namespace manyarch::testing
