#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "controller/core/effects.h"
#include "controller/core/events.h"
#include "controller/publish/claims.h"
#include "controller/publish/image_publisher.h"
#include "controller/publish/job_access.h"
#include "controller/publish/strands.h"
#include "registry/client.h"
#include "registry/http.h"
#include "registry/preflight.h"
#include "registry/retry.h"

namespace manyarch::controller::publish {

struct PublisherOptions {
  registry::ClientOptions client;
  int threads = 16;
  int copying_threads =
      4;  // Beside the others: copies take minutes, and nobody shall wait for them.
  // A job's own credentials, which count in place of those of `client`; asked for jobs with sealed
  // values alone, on the publisher's threads.
  JobAccess::AuthfileOf authfile_of = nullptr;
};

// Carries out the core's effects that concern registries, on threads of its own, and posts what
// came of them. Tags of one repository are written one after the other, in the order asked for;
// images are checked, and copied, at the same time. What Stop interrupts is not answered: the core
// asks again after a start. Thread-safe. The transport, the waiter and what `post` needs must
// outlive it.
class Publisher {
 public:
  Publisher(PublisherOptions options, registry::HttpTransport* transport, registry::Waiter* waiter,
            std::function<void(core::Event)> post);
  // Stops.
  ~Publisher();

  // Each returns at once; the answer is posted later. Copying to repositories other than the one
  // that has the images is told of meanwhile: PublishProgressed.
  void CarryOut(core::CheckImage effect);   // ImageChecked
  void CarryOut(core::WriteAnchor effect);  // AnchorFinished
  void CarryOut(core::Publish effect);      // PublishFinished

  // Whether tags can be written; see registry/preflight.h. With the credentials of `authfile`, a
  // containers auth.json, alone; empty: with the controller's. Takes until `deadline` at most.
  absl::StatusOr<std::vector<registry::DestinationCheck>> CheckDestinations(
      const std::vector<std::string>& references, registry::PreflightOptions options,
      const std::string& authfile, absl::Time deadline);

  // The core was loaded anew and asks again for all that it wants: what waits is not begun, and
  // what runs is not answered.
  void StartOver();

  // Within about a second. May be called again.
  void Stop();

 private:
  // Whose credentials an image is copied with.
  struct Owner {
    std::string job_id;
    bool sealed;
  };
  using Then = std::function<void(absl::Status)>;

  absl::StatusOr<VerifiedImage> Verify(const core::CheckImage& effect);
  absl::Status WriteTags(const core::WriteAnchor& effect, const std::vector<core::TagRef>& refs,
                         int64_t claim);
  ListOutcome WriteList(const core::Publish& effect, int64_t claim);
  // Goes on with `then` once the repository has the image: at once where it has it already.
  void Bring(int64_t era, const Owner& owner, const core::ListEntry& image,
             const std::string& repository, Then then);
  CopyProgress TellOf(int64_t era, const std::string& job_id, std::string what);
  bool IsCurrent(int64_t era);
  int64_t Era();
  void Post(int64_t era, core::Event event);

  const PublisherOptions options_;
  registry::Waiter* const waiter_;
  std::function<void(core::Event)> post_;
  absl::Mutex mutex_;
  int64_t era_ ABSL_GUARDED_BY(mutex_) = 0;  // Rises with every StartOver.
  absl::Notification stop_;
  registry::KnownListTypes known_list_types_;
  Claims claims_;
  JobAccess access_;
  Strands strands_;
  Strands copies_;
};

// What a check that failed means for the attempt: another platform than asked for is the
// Containerfile's doing and not worth a retry, anything else is.
core::Failure FailureOf(const absl::Status& status);

}  // namespace manyarch::controller::publish
