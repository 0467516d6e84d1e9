// Which request fails, and how: seeded dice.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "tests/support/http_server.h"

namespace manyarch::testing {

enum class Fault {
  kNone,
  kTooManySeconds,  // 429, Retry-After in seconds
  kTooManyDate,     // 429, Retry-After as a date
  k500,
  k502,
  k503,
  k504,
  k408,
  kResetBefore,  // Nothing happened, and nothing comes.
  kAnswerLost,   // It happened, and nothing comes.
  kSlow,         // It happens, late.
  kTruncated,
  kWrongLength,
  kGarbageBody,  // 200 and somebody's web page; nothing happened.
  kNotHttp,      // It happened; what comes is no HTTP.
  kUploadCut,    // Half of the request's body arrives, then a reset. Without a body: kResetBefore.
  kCount,
};
absl::string_view NameOf(Fault fault);

struct FaultOptions {
  uint64_t seed = 1;
  double probability = 0;                         // Of each request, in [0, 1].
  absl::Duration slow = absl::Milliseconds(300);  // How late kSlow is.
  int retry_after_seconds = 1;
};

// Thread-safe.
class FaultDice {
 public:
  explicit FaultDice(FaultOptions options);

  Fault Roll() ABSL_LOCKS_EXCLUDED(mutex_);
  // The faults that answer instead of the server. kWhole answers with status 0 mean: not this kind.
  HttpAnswer Instead(Fault fault, absl::Time now) const;
  // The faults that spoil an answer.
  void Spoil(Fault fault, HttpAnswer& answer) const;
  // How often each was rolled.
  std::map<Fault, int> Rolled() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const FaultOptions options_;
  mutable absl::Mutex mutex_;
  std::mt19937_64 engine_ ABSL_GUARDED_BY(mutex_);
  std::map<Fault, int> rolled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace manyarch::testing
