#include "controller/logs/log_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/disk.h"
#include "controller/logs/time_index.h"

namespace manyarch::controller {

namespace {

constexpr absl::Duration kPauseAfterFailure = absl::Seconds(1);
constexpr size_t kMostOpen = 512;  // Files kept open between pieces.

}  // namespace

struct LogStore::Log {
  ~Log() {
    if (fd >= 0) ::close(fd);
  }
  explicit Log(const std::string& file) : path(file), times(LogStore::TimesOf(file)) {}
  const std::string path;
  absl::Mutex mutex;
  TimeIndex times ABSL_GUARDED_BY(mutex);
  int fd ABSL_GUARDED_BY(mutex) = -1;
  int64_t size ABSL_GUARDED_BY(mutex) = 0;
  int64_t durable ABSL_GUARDED_BY(mutex) = 0;
  bool ended ABSL_GUARDED_BY(mutex) = false;  // Its attempt has finished.
};

LogStore::LogStore(std::string directory, OnDurable on_durable, std::function<absl::Time()> clock)
    : directory_(std::move(directory)),
      on_durable_(std::move(on_durable)),
      clock_(std::move(clock)) {
  syncer_ = std::thread([this] { RunSyncer(); });
}

LogStore::~LogStore() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  syncer_.join();
}

// Ids come from workers: nothing but what ids are made of may reach the file system.
absl::StatusOr<std::string> LogStore::PathOf(const std::string& attempt_id) const {
  bool good = !attempt_id.empty() && attempt_id.size() <= 100 && attempt_id[0] != '-';
  for (const char c : attempt_id) good = good && (absl::ascii_isalnum(c) || c == '-');
  if (!good) return absl::InvalidArgumentError("the attempt id is malformed");
  return absl::StrCat(directory_, "/", attempt_id.substr(0, attempt_id.find('-')), "/", attempt_id,
                      ".log");
}

std::string LogStore::TimesOf(const std::string& path) {
  return path.substr(0, path.rfind('.')) + ".times";
}

absl::StatusOr<std::shared_ptr<LogStore::Log>> LogStore::Find(const std::string& attempt_id,
                                                              bool create) {
  MA_ASSIGN_OR_RETURN(const std::string path, PathOf(attempt_id));
  absl::MutexLock lock(&mutex_);
  if (const auto it = open_.find(attempt_id); it != open_.end()) return it->second;
  if (create) ::mkdir(path.substr(0, path.rfind('/')).c_str(), 0755);
  const int fd = ::open(path.c_str(), O_RDWR | O_CLOEXEC | (create ? O_CREAT : 0), 0644);
  if (fd < 0) {
    if (errno == ENOENT && !create) return std::shared_ptr<Log>();
    return StateFileError("opening the log", path);
  }
  auto log = std::make_shared<Log>(path);
  {
    absl::MutexLock log_lock(&log->mutex);
    log->fd = fd;
    struct stat info {};
    if (::fstat(fd, &info) != 0) return StateFileError("looking at the log", path);
    // What a crash of this process left in the page cache is as good as written once it is synced.
    if (info.st_size > 0 && ::fdatasync(fd) != 0) return StateFileError("syncing the log", path);
    log->size = info.st_size;
    log->durable = info.st_size;
  }
  if (open_.size() >= kMostOpen) {
    // Those with unsynced bytes must stay; any other can be opened again.
    for (auto it = open_.begin(); it != open_.end(); ++it) {
      if (dirty_.contains(it->first) || it->second.use_count() > 1) continue;
      open_.erase(it);
      break;
    }
  }
  open_[attempt_id] = log;
  return log;
}

absl::StatusOr<int64_t> LogStore::Append(const std::string& attempt_id, int64_t offset,
                                         absl::string_view data) {
  MA_ASSIGN_OR_RETURN(const std::shared_ptr<Log> log, Find(attempt_id, /*create=*/true));
  int64_t size = 0;
  {
    absl::MutexLock lock(&log->mutex);
    if (offset < 0 || offset > log->size) return log->size;
    const int64_t known = log->size - offset;
    if (known < static_cast<int64_t>(data.size())) {
      absl::string_view fresh = data.substr(static_cast<size_t>(known));
      int64_t at = log->size;
      if (!fresh.empty()) log->times.Note(clock_(), at);
      while (!fresh.empty()) {
        const ssize_t written = ::pwrite(log->fd, fresh.data(), fresh.size(), at);
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return StateFileError("writing the log", log->path);
        at += written;
        fresh.remove_prefix(static_cast<size_t>(written));
      }
      log->size = at;
    }
    size = log->size;
  }
  absl::MutexLock lock(&mutex_);
  dirty_.insert(attempt_id);
  return size;
}

int64_t LogStore::Size(const std::string& attempt_id) {
  const auto log = Find(attempt_id, /*create=*/false);
  if (!log.ok() || *log == nullptr) return 0;
  absl::MutexLock lock(&(*log)->mutex);
  return (*log)->size;
}

absl::Status LogStore::SyncLog(const std::string& attempt_id, Log& log, int64_t* durable) {
  int fd = -1;
  int64_t size = 0;
  {
    absl::MutexLock lock(&log.mutex);
    *durable = log.durable;
    if (log.durable == log.size) return absl::OkStatus();
    fd = log.fd;
    size = log.size;
  }
  if (::fdatasync(fd) != 0) {
    return Annotate(StateFileError("syncing the log", log.path), attempt_id);
  }
  absl::MutexLock lock(&log.mutex);
  log.durable = std::max(log.durable, size);
  *durable = log.durable;
  return absl::OkStatus();
}

absl::Status LogStore::Sync(const std::string& attempt_id) {
  MA_ASSIGN_OR_RETURN(const std::shared_ptr<Log> log, Find(attempt_id, /*create=*/false));
  if (log == nullptr) return absl::OkStatus();
  int64_t durable = 0;
  return SyncLog(attempt_id, *log, &durable);
}

absl::StatusOr<std::string> LogStore::Read(const std::string& attempt_id, int64_t offset,
                                           size_t limit) {
  MA_ASSIGN_OR_RETURN(const std::shared_ptr<Log> log, Find(attempt_id, /*create=*/false));
  if (log == nullptr) return std::string();
  int fd = -1;
  {
    absl::MutexLock lock(&log->mutex);
    if (offset >= log->size) return std::string();
    limit = std::min(limit, static_cast<size_t>(log->size - offset));
    fd = log->fd;
  }
  std::string data(limit, '\0');
  const ssize_t got = ::pread(fd, data.data(), data.size(), offset);
  if (got < 0) return StateFileError("reading the log", log->path);
  data.resize(static_cast<size_t>(got));
  return data;
}

void LogStore::AwaitMore(const std::string& attempt_id, int64_t offset, bool knows_end,
                         absl::Time deadline) {
  const auto found = Find(attempt_id, /*create=*/false);
  if (!found.ok() || *found == nullptr) {
    absl::SleepFor(std::min(deadline - absl::Now(), absl::Milliseconds(50)));
    return;
  }
  Log& log = **found;
  absl::MutexLock lock(&log.mutex);
  const auto more = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(log.mutex) {
    return log.size > offset || (log.ended && !knows_end);
  };
  log.mutex.AwaitWithDeadline(absl::Condition(&more), deadline);
}

void LogStore::End(const std::string& attempt_id) {
  std::shared_ptr<Log> log;
  {
    absl::MutexLock lock(&mutex_);
    const auto it = open_.find(attempt_id);
    if (it == open_.end()) return;  // Nobody waits for it either.
    log = it->second;
  }
  absl::MutexLock lock(&log->mutex);
  log->ended = true;
}

void LogStore::RunSyncer() {
  while (true) {
    absl::flat_hash_set<std::string> dirty;
    {
      absl::MutexLock lock(&mutex_);
      const auto work = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
        return stopping_ || !dirty_.empty();
      };
      mutex_.Await(absl::Condition(&work));
      if (dirty_.empty()) return;
      dirty.swap(dirty_);
    }
    for (const std::string& attempt_id : dirty) {
      const auto log = Find(attempt_id, /*create=*/false);
      if (!log.ok() || *log == nullptr) continue;
      int64_t durable = 0;
      // On an error nothing is acknowledged, and the worker keeps its copy.
      if (SyncLog(attempt_id, **log, &durable).ok()) {
        on_durable_(attempt_id, durable);
        continue;
      }
      absl::MutexLock lock(&mutex_);
      dirty_.insert(attempt_id);
      mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kPauseAfterFailure);
      if (stopping_) return;
    }
  }
}

}  // namespace manyarch::controller
