#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "registry/auth_file.h"
#include "registry/credential_helper.h"
#include "registry/retry.h"

namespace manyarch::registry {

// The credentials for every registry: from auth files, and from the helpers that these name. What a
// helper answers is kept for five minutes; where it fails after that, what it said within the last
// hour goes on being used. Thread-safe; the waiter must outlive it.
class Keychain {
 public:
  explicit Keychain(AuthFile files, Waiter* waiter, HelperRunner run = SystemHelpers());

  // For "host[:port]" and a repository of it (may be empty); nullopt: nobody in particular. May ask
  // a helper, which takes a while.
  absl::StatusOr<std::optional<Credentials>> Find(absl::string_view registry,
                                                  absl::string_view repository)
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The same from what is known already: never waits.
  std::optional<Credentials> Known(absl::string_view registry, absl::string_view repository) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  // The registry refused what a helper gave: it is asked again next time.
  void Distrust(absl::string_view registry) ABSL_LOCKS_EXCLUDED(mutex_);

  // Whether there is any helper at all.
  bool has_helpers() const;
  // Asks the helpers for all registries that they are named for, that they list, or that were
  // looked for. The first error of those there were. Ends early once `stop` (may be null) is
  // notified.
  absl::Status Refresh(const absl::Notification* stop = nullptr) ABSL_LOCKS_EXCLUDED(mutex_);

  // An auth.json for who pushes to this repository and pulls from anywhere: all that is known, by
  // the same order of precedence, less what is for other repositories of the same registry alone.
  // What a helper gave and the registry has refused is not in it, nor anything in its place. Never
  // waits.
  std::string AuthFileFor(absl::string_view registry, absl::string_view repository) const
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Answer {
    std::optional<Credentials> credentials;
    absl::Time at;
    bool distrusted = false;
  };
  using Key = std::pair<std::string, std::string>;  // Helper and registry.

  absl::StatusOr<std::optional<Credentials>> Ask(const std::string& helper,
                                                 const std::string& registry, bool anew)
      ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsUsable(const Answer& answer) const;
  std::map<std::string, std::optional<Credentials>> KnownOf(const AuthFile::File& file) const
      ABSL_LOCKS_EXCLUDED(mutex_);
  std::optional<Credentials> Remembered(const CredentialSource& source,
                                        absl::string_view registry) const
      ABSL_LOCKS_EXCLUDED(mutex_);

  const AuthFile files_;
  Waiter* const waiter_;
  const HelperRunner run_;
  mutable absl::Mutex mutex_;
  std::map<Key, Answer> answers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::registry
