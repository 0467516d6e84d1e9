// The registries as each job may use them.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "controller/publish/image_publisher.h"
#include "registry/client.h"
#include "registry/http.h"
#include "registry/retry.h"

namespace manyarch::controller::publish {

// Registries, with somebody's credentials.
struct Access {
  Access(registry::ClientOptions options, registry::HttpTransport* transport,
         registry::Waiter* waiter, const absl::Notification* stop)
      : client(std::move(options), transport, waiter, stop), images(&client, waiter, stop) {}
  registry::RegistryClient client;
  ImagePublisher images;
};

// Gives each job the registries with its own credentials, or with the controller's where it has
// none. What a job with credentials uses is kept until Forget, or until nobody has asked for it for
// a while: its tokens go on being good, and its credentials are read once. Thread-safe; transport,
// waiter and `stop` must outlive it.
class JobAccess {
 public:
  // The text of a job's containers auth.json; empty: it has none of its own. Null: no job has any.
  using AuthfileOf = std::function<absl::StatusOr<std::string>(const std::string& job_id)>;

  JobAccess(registry::ClientOptions options, AuthfileOf authfile_of,
            registry::HttpTransport* transport, registry::Waiter* waiter,
            const absl::Notification* stop);

  // With the credentials of this auth.json alone; empty: with the controller's. INVALID_ARGUMENT:
  // it is none, or it names programs that keep credentials.
  absl::StatusOr<std::shared_ptr<Access>> With(const std::string& authfile) const;
  // `sealed` is false where the job has nothing sealed: then nobody is asked.
  absl::StatusOr<std::shared_ptr<Access>> Of(const std::string& job_id, bool sealed)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The job has ended.
  void Forget(const std::string& job_id) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Kept {
    std::string job_id;
    std::shared_ptr<Access> access;
    absl::Time used;
  };

  const registry::ClientOptions options_;
  const AuthfileOf authfile_of_;
  registry::HttpTransport* const transport_;
  registry::Waiter* const waiter_;
  const absl::Notification* const stop_;
  const std::shared_ptr<Access> own_;
  absl::Mutex mutex_;
  std::list<Kept> kept_ ABSL_GUARDED_BY(mutex_);  // The last used first.
};

}  // namespace manyarch::controller::publish
