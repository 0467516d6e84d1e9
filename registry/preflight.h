// Whether tags can be written, found out before anything is built.
#pragma once

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"
#include "registry/client.h"
#include "registry/manifest.h"

namespace manyarch::registry {

// Which registries have shown that they know a type of list, so that they are asked once.
// Thread-safe.
class KnownListTypes {
 public:
  bool Has(const std::string& registry, Format format) const ABSL_LOCKS_EXCLUDED(mutex_);
  void Add(const std::string& registry, Format format) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable absl::Mutex mutex_;
  std::set<std::pair<std::string, Format>> known_ ABSL_GUARDED_BY(mutex_);
};

struct PreflightOptions {
  Format format = Format::kDocker;  // Of the list that is to be written.
  // Tags must not exist yet, but for those (in normal form) that an earlier try has written.
  bool immutable = false;
  std::set<std::string> written_before = {};
  KnownListTypes* known_list_types = nullptr;  // Null: asked every time. Must outlive the call.
};

// One thing that was checked.
struct DestinationCheck {
  enum class Result { kOk, kWarning, kFailed, kSkipped };
  std::string reference;  // As given; where it can be read, in normal form.
  std::string what;       // "reference", "reachable", "credentials", "push", "list type", "tag"
  Result result = Result::kOk;
  std::string message;                     // A sentence; a registry's answer verbatim.
  absl::Status status = absl::OkStatus();  // Of kFailed: the code is the client's.
};

// Checks one reference: what comes after a failure is skipped.
//
// Pushing is tried by opening an upload and giving it up. To learn whether the registry takes lists
// of this type, a list of an image that cannot exist is pushed by digest: a registry that knows the
// type refuses it for its image, one that does not (Harbor before 2.0: 415) refuses it for its
// type. A registry that takes it all the same is asked to delete it; the list is always the same
// one, of 500 bytes and without a tag, should that fail.
std::vector<DestinationCheck> CheckDestination(RegistryClient* client, const std::string& reference,
                                               const PreflightOptions& options = {},
                                               const CallOptions& call = {});

// Checks several at the same time, what belongs to a repository once, for its first
// reference, before the others of it. In the order of the references.
std::vector<DestinationCheck> CheckDestinations(RegistryClient* client,
                                                absl::Span<const std::string> references,
                                                const PreflightOptions& options = {},
                                                const CallOptions& call = {});

// OK where none has failed.
absl::Status FirstFailure(absl::Span<const DestinationCheck> checks);

}  // namespace manyarch::registry
