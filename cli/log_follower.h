// Reading logs of attempts while they grow, over lost connections.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "cli/client.h"
#include "cli/render/progress.h"
#include "common/os/stop_token.h"

namespace manyarch::cli {

// Where in a log to begin: at its start, or, where both are given, at the later of the two.
struct LogStart {
  std::optional<int64_t> tail_lines;  // So many lines before the end that it has then.
  std::optional<absl::Time> since;    // At what arrived then or later.
};

// Reads each attempt's log in a thread of its own, to its end: nothing twice, nothing
// left out, however often the connection is lost between. Thread-safe.
class LogFollower {
 public:
  struct Sink {
    // Whole lines, from several threads at once.
    std::function<void(const LogSource&, absl::string_view line)> on_line;
    std::function<void(absl::string_view)> on_notice;
  };

  // `client` must outlive this.
  LogFollower(Client& client, Sink sink);
  ~LogFollower();  // Ends what is still being read.
  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // Starts reading unless this attempt is read already.
  void Start(const LogSource& source, const LogStart& start = {});
  // Waits until all that was started is read to the end; false when nothing was read for as long as
  // `patience`.
  bool Drain(absl::Duration patience);

 private:
  void Read(const LogSource& source, const LogStart& start, Cancellation& cancellation);

  Client& client_;
  const Sink sink_;
  StopToken stop_;
  absl::Mutex mutex_;
  std::set<std::string> started_ ABSL_GUARDED_BY(mutex_);
  int running_ ABSL_GUARDED_BY(mutex_) = 0;
  int64_t pieces_ ABSL_GUARDED_BY(mutex_) = 0;  // Read so far, of all logs.
  std::vector<std::unique_ptr<Cancellation>> cancellations_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ ABSL_GUARDED_BY(mutex_);
};

// Reads one log, following it or not, and hands on its bytes as they are, each once and in order.
// Repeats broken calls until `stop` is given or the log's end is reached.
absl::Status ReadLogOverOutages(Client& client, const std::string& attempt_id,
                                const LogStart& start, bool follow, const StopToken& stop,
                                Cancellation& cancellation,
                                const std::function<void(absl::string_view)>& on_bytes,
                                const std::function<void(absl::string_view)>& on_notice);

}  // namespace manyarch::cli
