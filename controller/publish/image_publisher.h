#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "common/base/platform.h"
#include "controller/core/types.h"
#include "registry/client.h"
#include "registry/reference.h"
#include "registry/retry.h"

namespace manyarch::controller::publish {

struct VerifiedImage {
  core::Image image;  // Size and media type filled in.
  Platform found;     // What its config says; normal form.
  std::vector<std::string> warnings;
};

// Of a list's tags, as far as it went.
struct ListOutcome {
  std::vector<core::TagOutcome> tags;  // One for each asked for, in order.
  absl::Status error;                  // Not OK: some are not written; says which one and why.
};

// Bytes of an image that have arrived, of how many.
using CopyProgress = std::function<void(int64_t done, int64_t total)>;

// The steps from pushed images to tags, each safe to repeat. Synchronous; a call takes as long as
// the client's retry budget allows. Codes are the client's: UNAVAILABLE means that the registry may
// be better later, CANCELLED that the client was told to stop and nothing is decided,
// ALREADY_EXISTS that an immutable tag points elsewhere, anything else that repeating will not
// help. Thread-safe, except that tags of one repository must not be written by two calls at once
// (some registries then refuse good manifests). The client and the waiter must outlive it.
class ImagePublisher {
 public:
  ImagePublisher(registry::RegistryClient* client, registry::Waiter* waiter,
                 const absl::Notification* stop);

  // Reads the image's manifest and config by their digests and looks whether it is what was asked
  // for: an image of that digest, size (where the image's size is not 0) and platform, whose config
  // and layers are of the types that `format` has. A variant that differs is a warning. An image of
  // the other format is written anew beside the old one where nothing is lost by it; the verified
  // image is the new one then. INVALID_ARGUMENT: it is a sound image of another platform. With
  // `may_be_gone`, for an image that was not pushed just now, its manifest is read again although
  // it is known.
  absl::StatusOr<VerifiedImage> Verify(const core::Image& image, const Platform& wanted,
                                       core::ImageFormat format = core::ImageFormat::kDocker,
                                       bool may_be_gone = false);

  // Makes another repository, of this registry or another, have the image: its blobs are mounted or
  // streamed, then its manifest is written by digest. Does nothing where it is there.
  absl::Status CopyImage(const core::Image& image, const std::string& to,
                         const CopyProgress& on_progress = nullptr);

  // Makes the tag point to an image that is in the same repository already. Does nothing where it
  // points there.
  absl::Status PutTag(const core::TagRef& tag, const core::Image& image, bool immutable = false);

  // Pushes the list by digest to each repository of the tags, which have its images already; then
  // writes the tags in order: each is looked at, written unless it points to the list, and looked
  // at again. Stops at the first that fails.
  ListOutcome PublishList(const core::PublishIntent& intent, const std::vector<core::TagRef>& tags,
                          bool immutable = false);

 private:
  absl::Status PutLists(const core::PublishIntent& intent, const std::vector<core::TagRef>& tags);
  absl::Status PutListTag(const registry::Reference& tag, const core::PublishIntent& intent,
                          const Digest& digest, bool immutable);
  absl::StatusOr<registry::FetchedManifest> FetchOnce(const registry::Reference& by_digest)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Remember(const registry::Reference& by_digest, const registry::FetchedManifest& manifest)
      ABSL_LOCKS_EXCLUDED(mutex_);

  registry::RegistryClient* const client_;
  registry::Waiter* const waiter_;
  const absl::Notification* const stop_;

  // An image that was verified is soon tagged: its manifest need not be read twice.
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, registry::FetchedManifest> recent_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> recent_order_ ABSL_GUARDED_BY(mutex_);
};

// The repositories of the tags, each once, in the order in which they come.
std::vector<std::string> RepositoriesOf(const std::vector<core::TagRef>& tags);

// "docker" or "oci", as the registry library has it.
registry::Format FormatOf(core::ImageFormat format);

// The images of a list that is to be published, with their platforms, as they are in `repository`.
absl::StatusOr<std::vector<core::ListEntry>> ImagesOf(const core::PublishIntent& intent,
                                                      const std::string& repository);

}  // namespace manyarch::controller::publish
