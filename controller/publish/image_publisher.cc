#include "controller/publish/image_publisher.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/failpoint.h"
#include "registry/manifest.h"

namespace manyarch::controller::publish {

namespace {

using registry::Reference;

constexpr size_t kRecentManifests = 256;
constexpr size_t kLargestRecent = 64 << 10;
// A registry that caches may show the tag's old target for a moment.
constexpr int kLooks = 4;

std::string NameOf(const core::Image& image) {
  return absl::StrCat(image.repository, "@", image.digest);
}

absl::StatusOr<Reference> ParseImage(const core::Image& image) {
  MA_ASSIGN_OR_RETURN(const Reference repository, registry::ParseRepository(image.repository));
  MA_ASSIGN_OR_RETURN(const Digest digest, Digest::Parse(image.digest));
  return repository.WithDigest(digest);
}

absl::StatusOr<Reference> ParseTag(const core::TagRef& tag) {
  MA_ASSIGN_OR_RETURN(const Reference repository, registry::ParseRepository(tag.repository));
  if (!registry::IsTag(tag.tag)) {
    return absl::InvalidArgumentError(absl::StrCat("'", tag.tag, "' cannot be a tag"));
  }
  return repository.WithTag(tag.tag);
}

// INVALID_ARGUMENT is kept for images of another platform.
absl::Status NotAboutPlatform(const absl::Status& status, absl::string_view what) {
  absl::Status out = Annotate(status, what);
  if (!absl::IsInvalidArgument(out)) return out;
  return absl::FailedPreconditionError(out.message());
}

}  // namespace

ImagePublisher::ImagePublisher(registry::RegistryClient* client, registry::Waiter* waiter,
                               const absl::Notification* stop)
    : client_(client), waiter_(waiter), stop_(stop) {}

absl::StatusOr<registry::FetchedManifest> ImagePublisher::FetchOnce(const Reference& by_digest) {
  const std::string name = by_digest.ToString();
  {
    absl::MutexLock lock(&mutex_);
    const auto found = recent_.find(name);
    if (found != recent_.end()) return found->second;
  }
  MA_ASSIGN_OR_RETURN(registry::FetchedManifest fetched, client_->GetManifest(by_digest));
  absl::MutexLock lock(&mutex_);
  if (fetched.bytes.size() <= kLargestRecent && recent_.emplace(name, fetched).second) {
    recent_order_.push_back(name);
    if (recent_order_.size() > kRecentManifests) {
      recent_.erase(recent_order_.front());
      recent_order_.pop_front();
    }
  }
  return fetched;
}

absl::StatusOr<VerifiedImage> ImagePublisher::Verify(const core::Image& image,
                                                     const Platform& wanted) {
  MANYARCH_FAILPOINT("publish/before-verify");
  const std::string what =
      absl::StrCat("checking the image for ", ToString(wanted), " (", NameOf(image), ")");
  const auto reference = ParseImage(image);
  if (!reference.ok()) return NotAboutPlatform(reference.status(), what);
  auto fetched = FetchOnce(*reference);
  if (!fetched.ok()) return NotAboutPlatform(fetched.status(), what);

  const auto* manifest = std::get_if<registry::ImageManifest>(&fetched->manifest);
  if (manifest == nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": it is a list of images ('", fetched->media_type, "') where one image is wanted"));
  }
  if (fetched->media_type != registry::kDockerManifest) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, ": its manifest is of type '", fetched->media_type,
                     "', which cannot stand in a Docker v2s2 list: it must be built with --format "
                     "docker and pushed with --format v2s2"));
  }
  const auto size = static_cast<int64_t>(fetched->bytes.size());
  if (image.size > 0 && image.size != size) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": its manifest has ", size, " bytes, but the worker reported ", image.size));
  }
  const auto bytes = client_->GetBlob(*reference, manifest->config);
  if (!bytes.ok()) return NotAboutPlatform(bytes.status(), what);
  const auto config = registry::ParseImageConfig(*bytes);
  if (!config.ok()) return NotAboutPlatform(config.status(), what);

  VerifiedImage verified{
      {image.repository, reference->digest->ToString(), size, fetched->media_type},
      config->platform,
      {}};
  switch (Compare(wanted, config->platform)) {
    case PlatformMatch::kExact:
      break;
    case PlatformMatch::kVariantDiffers:
      verified.warnings.push_back(absl::StrCat("the image for ", ToString(wanted),
                                               " says of itself that it is for ", config->spelled,
                                               "; the list says ", ToString(wanted)));
      break;
    case PlatformMatch::kDifferent:
      return absl::InvalidArgumentError(absl::StrCat(
          what, ": the image says of itself that it is for ", config->spelled,
          ": look for a --platform in the Containerfile's FROM lines, or a base image that does "
          "not come for ",
          ToString(wanted)));
  }
  MANYARCH_FAILPOINT("publish/after-verify");
  return verified;
}

absl::Status ImagePublisher::PutTag(const core::TagRef& tag, const core::Image& image) {
  const std::string what = absl::StrCat("tagging ", image.digest, " as ", tag.ToString());
  const auto target = ParseTag(tag);
  if (!target.ok()) return Annotate(target.status(), what);
  const auto source = ParseImage(image);
  if (!source.ok()) return Annotate(source.status(), what);
  if (source->Repository() != target->Repository()) {
    return absl::UnimplementedError(
        absl::StrCat(what, ": the image is in another repository, ", source->Repository()));
  }
  const auto present = client_->HeadManifest(*target);
  if (!present.ok()) return Annotate(present.status(), what);
  if (*present == source->digest) return absl::OkStatus();
  const auto fetched = FetchOnce(*source);
  if (!fetched.ok()) return Annotate(fetched.status(), what);
  MANYARCH_FAILPOINT("publish/before-anchor");
  const absl::Status put = client_->PutManifest(*target, fetched->bytes, fetched->media_type);
  MANYARCH_FAILPOINT("publish/after-anchor");
  return Annotate(put, what);
}

absl::Status ImagePublisher::PutListTag(const Reference& tag, const core::PublishIntent& intent,
                                        const Digest& digest) {
  MA_ASSIGN_OR_RETURN(std::optional<Digest> present, client_->HeadManifest(tag));
  if (present == digest) return absl::OkStatus();
  MANYARCH_FAILPOINT("publish/before-tag");
  MA_RETURN_IF_ERROR(client_->PutManifest(tag, intent.list, intent.media_type));
  MANYARCH_FAILPOINT("publish/after-tag");
  const Backoff backoff;
  for (int look = 0;; ++look) {
    MA_ASSIGN_OR_RETURN(present, client_->HeadManifest(tag));
    if (present == digest) return absl::OkStatus();
    if (stop_ != nullptr && stop_->HasBeenNotified()) return absl::CancelledError("stopped");
    if (look + 1 == kLooks) break;
    waiter_->Sleep(backoff.Delay(look, waiter_->Jitter()), stop_);
  }
  return absl::FailedPreconditionError(absl::StrCat(
      "it was written, but points to ", present ? present->ToString() : "nothing",
      ": somebody else writes this tag too, or the registry does not keep what it takes"));
}

ListOutcome ImagePublisher::PublishList(const core::PublishIntent& intent,
                                        const std::string& repository,
                                        const std::vector<core::TagRef>& tags) {
  ListOutcome outcome;
  for (const core::TagRef& tag : tags) outcome.tags.push_back({tag, false, ""});
  const auto fail = [&](absl::Status status) {
    outcome.error = std::move(status);
    return outcome;
  };

  const std::string what = absl::StrCat("pushing the manifest list to ", repository);
  const auto digest = Digest::Parse(intent.digest);
  const auto target = registry::ParseRepository(repository);
  if (!target.ok()) return fail(Annotate(target.status(), what));
  if (!digest.ok() || *digest != Digest::Of(intent.list)) {
    return fail(absl::FailedPreconditionError(
        absl::StrCat(what, ": the recorded list does not have its recorded digest '", intent.digest,
                     "': submit the job again")));
  }
  MANYARCH_FAILPOINT("publish/before-list");
  const absl::Status pushed =
      client_->PutManifest(target->WithDigest(*digest), intent.list, intent.media_type);
  if (!pushed.ok()) return fail(Annotate(pushed, what));
  MANYARCH_FAILPOINT("publish/after-list");

  for (size_t i = 0; i < tags.size(); ++i) {
    core::TagOutcome& tag = outcome.tags[i];
    const auto reference = ParseTag(tag.ref);
    const absl::Status status =
        reference.ok() ? PutListTag(*reference, intent, *digest) : reference.status();
    if (status.ok()) {
      tag.written = true;
      continue;
    }
    tag.note = std::string(status.message());
    for (size_t rest = i + 1; rest < tags.size(); ++rest) {
      outcome.tags[rest].note =
          absl::StrCat("not written, because ", tag.ref.ToString(), " could not be");
    }
    std::string written;
    for (size_t done = 0; done < i; ++done) {
      absl::StrAppend(&written, done == 0 ? "; already written: " : ", ",
                      outcome.tags[done].ref.ToString());
    }
    return fail(absl::Status(status.code(), absl::StrCat("writing tag ", tag.ref.ToString(), ": ",
                                                         status.message(), written)));
  }
  MANYARCH_FAILPOINT("publish/after-tags");
  return outcome;
}

absl::Status ImagePublisher::Preflight(const std::vector<std::string>& repositories,
                                       absl::Time deadline) {
  for (const std::string& repository : repositories) {
    MA_ASSIGN_OR_RETURN(const Reference reference, registry::ParseRepository(repository));
    const absl::Status status = client_->CheckPush(reference, {deadline});
    if (absl::IsNotFound(status)) {
      // Is it the repository that is absent, or the registry?
      MA_RETURN_IF_ERROR(client_->Ping(reference.registry, {deadline}));
    }
    MA_RETURN_IF_ERROR(status);
  }
  return absl::OkStatus();
}

}  // namespace manyarch::controller::publish
