#include "common/os/failpoint.h"

#ifdef MANYARCH_FAILPOINTS

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/os/files.h"

namespace manyarch {

namespace {

// Counts how often the armed failpoint was reached since it was armed.
class Armed {
 public:
  // Whether this is the time.
  bool Fires(absl::string_view order, absl::string_view name) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(order, absl::MaxSplits(':', 1));
    int wanted = 1;
    if (!parts.second.empty() && !absl::SimpleAtoi(parts.second, &wanted)) return false;
    absl::MutexLock lock(&mutex_);
    if (order != order_) {
      order_ = std::string(order);
      reached_ = 0;
    }
    return parts.first == name && ++reached_ == wanted;
  }

 private:
  absl::Mutex mutex_;
  std::string order_ ABSL_GUARDED_BY(mutex_);
  int reached_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace

void ReachFailpoint(absl::string_view name) {
  static const char* const variable = std::getenv("MANYARCH_FAILPOINT");
  if (variable == nullptr) return;
  static auto* const armed = new Armed;
  const bool from_file = variable[0] == '@';
  const std::string order = from_file ? ReadFile(variable + 1).value_or("") : variable;
  if (!armed->Fires(absl::StripAsciiWhitespace(order), name)) return;
  // The next start must not die here again.
  if (from_file) unlink(variable + 1);
  kill(getpid(), SIGKILL);
  pause();
}

}  // namespace manyarch

#endif  // MANYARCH_FAILPOINTS
