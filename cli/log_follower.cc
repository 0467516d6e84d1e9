#include "cli/log_follower.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "cli/reconnect.h"
#include "common/base/status_macros.h"

namespace manyarch::cli {

namespace {

// The log of an attempt that has only just been taken may not be there yet.
constexpr int kMaxNotFound = 20;
constexpr int kWaits = 4;

// Cuts bytes into lines; a carriage return before the newline goes.
class LineSplitter {
 public:
  void Add(absl::string_view bytes, const std::function<void(absl::string_view)>& on_line) {
    size_t end = 0;
    while ((end = bytes.find('\n')) != absl::string_view::npos) {
      absl::StrAppend(&rest_, bytes.substr(0, end));
      Emit(on_line);
      bytes.remove_prefix(end + 1);
    }
    absl::StrAppend(&rest_, bytes);
    // A "line" without end must not grow without end.
    if (rest_.size() > kLongest) Emit(on_line);
  }
  void Flush(const std::function<void(absl::string_view)>& on_line) {
    if (!rest_.empty()) Emit(on_line);
  }

 private:
  static constexpr size_t kLongest = 64 << 10;

  void Emit(const std::function<void(absl::string_view)>& on_line) {
    if (!rest_.empty() && rest_.back() == '\r') rest_.pop_back();
    on_line(rest_);
    rest_.clear();
  }

  std::string rest_;
};

}  // namespace

absl::Status ReadLogOverOutages(Client& client, const std::string& attempt_id,
                                const LogStart& start, bool follow, const StopToken& stop,
                                Cancellation& cancellation,
                                const std::function<void(absl::string_view)>& on_bytes,
                                const std::function<void(absl::string_view)>& on_notice) {
  // Not known until the controller has said where such a start is.
  bool started = !start.tail_lines && !start.since;
  int64_t offset = 0;
  int retry = 0;
  int not_found = 0;
  while (true) {
    v1::ReadLogRequest request;
    request.set_attempt_id(attempt_id);
    if (started) {
      request.set_offset(offset);
    } else {
      if (start.tail_lines) request.set_tail_lines(*start.tail_lines);
      if (start.since) request.mutable_since()->set_seconds(absl::ToUnixSeconds(*start.since));
    }
    request.set_follow(follow);
    const absl::Status status =
        client.ReadLog(request, cancellation, [&](const v1::ReadLogResponse& piece) {
          absl::string_view data = piece.data();
          if (!started) offset = piece.offset();
          started = true;
          if (piece.offset() < offset) {
            data.remove_prefix(std::min(data.size(), static_cast<size_t>(offset - piece.offset())));
          } else if (piece.offset() > offset) {
            on_notice(absl::StrCat(attempt_id, ": ", piece.offset() - offset,
                                   " bytes of the log are missing here"));
            offset = piece.offset();
          }
          offset += static_cast<int64_t>(data.size());
          retry = 0;
          if (!data.empty()) on_bytes(data);
        });
    if (status.ok() || stop.stopped()) return absl::OkStatus();
    if (absl::IsNotFound(status)) {
      if (!follow || ++not_found > kMaxNotFound) return status;
    } else if (!IsWorthRepeating(status) || (!follow && retry > 3)) {
      return status;
    }
    if (stop.WaitFor(kReconnect.Delay(retry++, 0.5))) return absl::OkStatus();
  }
}

LogFollower::LogFollower(Client& client, Sink sink) : client_(client), sink_(std::move(sink)) {}

LogFollower::~LogFollower() {
  stop_.Stop("done");
  std::vector<std::thread> threads;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& cancellation : cancellations_) cancellation->Cancel();
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
}

void LogFollower::Start(const LogSource& source, const LogStart& start) {
  absl::MutexLock lock(&mutex_);
  if (!started_.insert(source.attempt_id).second) return;
  cancellations_.push_back(std::make_unique<Cancellation>());
  Cancellation* cancellation = cancellations_.back().get();
  ++running_;
  threads_.emplace_back([this, source, start, cancellation] {
    Read(source, start, *cancellation);
    absl::MutexLock done(&mutex_);
    --running_;
  });
}

void LogFollower::Read(const LogSource& source, const LogStart& start, Cancellation& cancellation) {
  LineSplitter lines;
  const auto on_line = [&](absl::string_view line) { sink_.on_line(source, line); };
  const absl::Status status = ReadLogOverOutages(
      client_, source.attempt_id, start, /*follow=*/true, stop_, cancellation,
      [&](absl::string_view bytes) {
        lines.Add(bytes, on_line);
        absl::MutexLock lock(&mutex_);
        ++pieces_;
      },
      sink_.on_notice);
  lines.Flush(on_line);
  if (!status.ok()) {
    sink_.on_notice(
        absl::StrCat("cannot read the log of ", source.attempt_id, ": ", status.message()));
  }
}

bool LogFollower::Drain(absl::Duration patience) {
  absl::MutexLock lock(&mutex_);
  int64_t seen = pieces_;
  const auto news = [&]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
    return running_ == 0 || pieces_ != seen;
  };
  // In several waits: a process that was stopped finds one of them over when it goes on.
  for (int waits = 0; running_ > 0 && waits < kWaits; ++waits) {
    if (!mutex_.AwaitWithTimeout(absl::Condition(&news), patience / kWaits)) continue;
    seen = pieces_;
    waits = -1;
  }
  return running_ == 0;
}

}  // namespace manyarch::cli
