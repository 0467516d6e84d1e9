#include "controller/publish/image_publisher.h"

#include <algorithm>
#include <optional>
#include <variant>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/failpoint.h"
#include "registry/convert.h"
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

absl::Status PointsElsewhere(const Digest& present) {
  return absl::AlreadyExistsError(absl::StrCat("it exists and points to ", present.ToString(),
                                               ": --immutable moves no tag; use another one"));
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
  Remember(by_digest, fetched);
  return fetched;
}

void ImagePublisher::Remember(const Reference& by_digest,
                              const registry::FetchedManifest& manifest) {
  if (manifest.bytes.size() > kLargestRecent) return;
  const std::string name = by_digest.ToString();
  absl::MutexLock lock(&mutex_);
  if (!recent_.emplace(name, manifest).second) return;
  recent_order_.push_back(name);
  if (recent_order_.size() <= kRecentManifests) return;
  recent_.erase(recent_order_.front());
  recent_order_.pop_front();
}

absl::StatusOr<VerifiedImage> ImagePublisher::Verify(const core::Image& image,
                                                     const Platform& wanted,
                                                     core::ImageFormat format, bool may_be_gone) {
  MANYARCH_FAILPOINT("publish/before-verify");
  const std::string what =
      absl::StrCat("checking the image for ", ToString(wanted), " (", NameOf(image), ")");
  const auto reference = ParseImage(image);
  if (!reference.ok()) return NotAboutPlatform(reference.status(), what);
  auto fetched = may_be_gone ? client_->GetManifest(*reference) : FetchOnce(*reference);
  if (!fetched.ok()) return NotAboutPlatform(fetched.status(), what);
  const auto size = static_cast<int64_t>(fetched->bytes.size());
  if (image.size > 0 && image.size != size) {
    return absl::FailedPreconditionError(absl::StrCat(
        what, ": its manifest has ", size, " bytes, but the worker reported ", image.size));
  }
  const auto written =
      registry::ConvertImage(fetched->bytes, fetched->media_type, FormatOf(format));
  if (!written.ok()) return NotAboutPlatform(written.status(), what);
  const auto parsed = registry::ParseManifest(written->bytes, written->media_type);
  if (!parsed.ok()) return NotAboutPlatform(parsed.status(), what);
  const auto& manifest = std::get<registry::ImageManifest>(*parsed);
  if (const absl::Status types = registry::CheckMediaTypes(manifest); !types.ok()) {
    return NotAboutPlatform(types, what);
  }
  const auto bytes = client_->GetBlob(*reference, manifest.config);
  if (!bytes.ok()) return NotAboutPlatform(bytes.status(), what);
  const auto config = registry::ParseImageConfig(*bytes);
  if (!config.ok()) return NotAboutPlatform(config.status(), what);

  VerifiedImage verified{{image.repository, written->digest.ToString(),
                          static_cast<int64_t>(written->bytes.size()), written->media_type},
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
  if (written->digest != fetched->digest) {
    const Reference anew = reference->WithDigest(written->digest);
    const absl::Status put = client_->PutManifest(anew, written->bytes, written->media_type);
    if (!put.ok()) return NotAboutPlatform(put, what);
    Remember(anew, {written->bytes, written->digest, written->media_type, *parsed});
    verified.warnings.push_back(absl::StrCat(
        "the image for ", ToString(wanted), " was pushed as ", fetched->media_type, " (",
        image.digest, "); its manifest was rewritten, its config and layers are the same"));
  }
  MANYARCH_FAILPOINT("publish/after-verify");
  return verified;
}

absl::Status ImagePublisher::PutTag(const core::TagRef& tag, const core::Image& image,
                                    bool immutable) {
  const std::string what = absl::StrCat("tagging ", image.digest, " as ", tag.ToString());
  const auto target = ParseTag(tag);
  if (!target.ok()) return Annotate(target.status(), what);
  const auto source = ParseImage(image);
  if (!source.ok()) return Annotate(source.status(), what);
  if (source->Repository() != target->Repository()) {
    return absl::InternalError(
        absl::StrCat(what, ": the image is in another repository, ", source->Repository()));
  }
  const auto present = client_->HeadManifest(*target);
  if (!present.ok()) return Annotate(present.status(), what);
  if (*present == source->digest) return absl::OkStatus();
  if (immutable && *present) return Annotate(PointsElsewhere(**present), what);
  const auto fetched = FetchOnce(*source);
  if (!fetched.ok()) return Annotate(fetched.status(), what);
  MANYARCH_FAILPOINT("publish/before-anchor");
  const absl::Status put = client_->PutManifest(*target, fetched->bytes, fetched->media_type);
  MANYARCH_FAILPOINT("publish/after-anchor");
  return Annotate(put, what);
}

absl::Status ImagePublisher::PutListTag(const Reference& tag, const core::PublishIntent& intent,
                                        const Digest& digest, bool immutable) {
  MA_ASSIGN_OR_RETURN(std::optional<Digest> present, client_->HeadManifest(tag));
  if (present == digest) return absl::OkStatus();
  if (immutable && present) return PointsElsewhere(*present);
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

absl::Status ImagePublisher::PutLists(const core::PublishIntent& intent,
                                      const std::vector<core::TagRef>& tags) {
  const auto digest = Digest::Parse(intent.digest);
  if (!digest.ok() || *digest != Digest::Of(intent.list)) {
    return absl::FailedPreconditionError(
        absl::StrCat("pushing the manifest list: the recorded list does not have its recorded "
                     "digest '",
                     intent.digest, "': submit the job again"));
  }
  MANYARCH_FAILPOINT("publish/before-list");
  for (const std::string& repository : RepositoriesOf(tags)) {
    const std::string what = absl::StrCat("pushing the manifest list to ", repository);
    const auto target = registry::ParseRepository(repository);
    if (!target.ok()) return Annotate(target.status(), what);
    const absl::Status pushed =
        client_->PutManifest(target->WithDigest(*digest), intent.list, intent.media_type);
    if (!pushed.ok()) return Annotate(pushed, what);
  }
  MANYARCH_FAILPOINT("publish/after-list");
  return absl::OkStatus();
}

ListOutcome ImagePublisher::PublishList(const core::PublishIntent& intent,
                                        const std::vector<core::TagRef>& tags, bool immutable) {
  ListOutcome outcome;
  for (const core::TagRef& tag : tags) outcome.tags.push_back({tag, false, ""});
  outcome.error = PutLists(intent, tags);
  if (!outcome.error.ok()) return outcome;

  const Digest digest = Digest::Of(intent.list);
  for (size_t i = 0; i < tags.size(); ++i) {
    core::TagOutcome& tag = outcome.tags[i];
    const auto reference = ParseTag(tag.ref);
    const absl::Status status =
        reference.ok() ? PutListTag(*reference, intent, digest, immutable) : reference.status();
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
    outcome.error = absl::Status(status.code(), absl::StrCat("writing tag ", tag.ref.ToString(),
                                                             ": ", status.message(), written));
    return outcome;
  }
  MANYARCH_FAILPOINT("publish/after-tags");
  return outcome;
}

}  // namespace manyarch::controller::publish
