#pragma once

#include <functional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "controller/core/effects.h"
#include "controller/core/events.h"
#include "controller/publish/image_publisher.h"
#include "controller/publish/strands.h"
#include "registry/client.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace manyarch::controller::publish {

struct PublisherOptions {
  registry::ClientOptions client;
  int threads = 16;
};

// Carries out the core's effects that concern registries, on threads of its own, and posts what
// came of them. Tags of one repository are written one after the other, in the order asked for;
// images are checked at the same time. What Stop interrupts is not answered: the core asks again
// after a start. Thread-safe. The transport, the waiter and what `post` needs must outlive it.
class Publisher {
 public:
  Publisher(PublisherOptions options, registry::HttpTransport* transport, registry::Waiter* waiter,
            std::function<void(core::Event)> post);
  // Stops.
  ~Publisher();

  // Each returns at once; the answer is posted later.
  void CarryOut(core::CheckImage effect);   // ImageChecked
  void CarryOut(core::WriteAnchor effect);  // AnchorFinished
  void CarryOut(core::Publish effect);      // PublishFinished

  // Whether pushing to the repository will work; an error is meant for the person who submits.
  // Takes until `deadline` at most.
  absl::Status Preflight(const std::string& repository, absl::Time deadline);

  // The core was loaded anew and asks again for all that it wants: what waits is not begun, and
  // what runs is not answered.
  void StartOver();

  // Within about a second. May be called again.
  void Stop();

 private:
  bool IsCurrent(int64_t era);
  int64_t Era();
  void Post(int64_t era, core::Event event);

  std::function<void(core::Event)> post_;
  absl::Mutex mutex_;
  int64_t era_ ABSL_GUARDED_BY(mutex_) = 0;  // Rises with every StartOver.
  absl::Notification stop_;
  registry::RegistryClient client_;
  ImagePublisher images_;
  Strands strands_;
};

// What a check that failed means for the attempt: another platform than asked for is the
// Containerfile's doing and not worth a retry, anything else is.
core::Failure FailureOf(const absl::Status& status);

}  // namespace manyarch::controller::publish
