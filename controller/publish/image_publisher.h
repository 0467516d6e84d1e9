#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
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

// The steps from pushed images to tags, each safe to repeat. Synchronous; a call takes as long as
// the client's retry budget allows. Codes are the client's: UNAVAILABLE means that the registry may
// be better later, CANCELLED that the client was told to stop and nothing is decided, anything else
// that repeating will not help. Thread-safe, except that tags of one repository must not be written
// by two calls at once (some registries then refuse good manifests). The client and the waiter must
// outlive it.
class ImagePublisher {
 public:
  ImagePublisher(registry::RegistryClient* client, registry::Waiter* waiter,
                 const absl::Notification* stop);

  // Reads the image's manifest and config by their digests and looks whether it is what was asked
  // for: a Docker v2s2 image of that digest, size (where the image's size is not 0) and platform. A
  // variant that differs is a warning. INVALID_ARGUMENT: it is a sound image of another platform.
  absl::StatusOr<VerifiedImage> Verify(const core::Image& image, const Platform& wanted);

  // Makes the tag point to an image that is in the same repository already. Does nothing where it
  // points there.
  absl::Status PutTag(const core::TagRef& tag, const core::Image& image);

  // Pushes the list by digest, then writes the tags in order: each is looked at, written unless it
  // points to the list, and looked at again. Stops at the first that fails.
  ListOutcome PublishList(const core::PublishIntent& intent, const std::string& repository,
                          const std::vector<core::TagRef>& tags);

  // Whether the registry of each repository can be reached, takes the credentials, and lets them
  // push.
  absl::Status Preflight(const std::vector<std::string>& repositories, absl::Time deadline);

 private:
  absl::Status PutListTag(const registry::Reference& tag, const core::PublishIntent& intent,
                          const Digest& digest);
  absl::StatusOr<registry::FetchedManifest> FetchOnce(const registry::Reference& by_digest)
      ABSL_LOCKS_EXCLUDED(mutex_);

  registry::RegistryClient* const client_;
  registry::Waiter* const waiter_;
  const absl::Notification* const stop_;

  // An image that was verified is soon tagged: its manifest need not be read twice.
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, registry::FetchedManifest> recent_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::string> recent_order_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::controller::publish
