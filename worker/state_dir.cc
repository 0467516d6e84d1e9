#include "worker/state_dir.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "common/base/ids.h"
#include "common/base/status_macros.h"
#include "spdlog/spdlog.h"
#include "worker/link/wire.h"

namespace manyarch::worker {

namespace {

// Its paths become options of overlay mounts and values of flags that buildah splits at commas.
absl::Status CheckPath(const std::string& path) {
  if (path.empty() || path.front() != '/') {
    return absl::InvalidArgumentError(absl::StrCat(
        "--state-dir: '", path, "' is not an absolute path; say for example /srv/manyarch"));
  }
  if (const size_t at = path.find_first_of(",:\"\\\n"); at != std::string::npos) {
    return absl::InvalidArgumentError(absl::StrCat(
        "--state-dir: '", path, "' has a ", path[at] == '\n' ? "newline" : path.substr(at, 1),
        " in it, which the overlay mounts of image stores cannot take; give another directory"));
  }
  return absl::OkStatus();
}

absl::StatusOr<UniqueFd> Lock(const std::string& dir) {
  const std::string path = dir + "/lock";
  UniqueFd fd(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!fd.ok()) return absl::ErrnoToStatus(errno, absl::StrCat("opening ", path));
  if (flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return absl::ErrnoToStatus(errno, absl::StrCat("locking ", path));
    const absl::StatusOr<std::string> holder = ReadFile(path);
    return absl::FailedPreconditionError(
        absl::StrCat("the state directory ", dir, " is in use by another manyarch-worker (pid ",
                     holder.ok() ? std::string(absl::StripAsciiWhitespace(*holder)) : "unknown",
                     "); stop that one, or give this one a directory of its own with --state-dir"));
  }
  if (ftruncate(fd.get(), 0) != 0)
    return absl::ErrnoToStatus(errno, absl::StrCat("writing ", path));
  MA_RETURN_IF_ERROR(WriteAll(fd.get(), absl::StrCat(getpid(), "\n")));
  return fd;
}

absl::StatusOr<std::string> WorkerId(const std::string& dir) {
  const std::string path = dir + "/worker-id";
  const absl::StatusOr<std::string> known = ReadFile(path);
  if (known.ok()) {
    std::string id(absl::StripAsciiWhitespace(*known));
    if (!id.empty()) return id;
  } else if (!absl::IsNotFound(known.status())) {
    return known.status();
  }
  std::string id = JobIdFrom(RandomBits());
  id[0] = 'w';
  MA_RETURN_IF_ERROR(WriteFileAtomic(path, id + "\n"));
  return id;
}

absl::Status CheckId(const std::string& attempt_id) {
  bool good = !attempt_id.empty() && attempt_id.size() <= 200 && attempt_id[0] != '.';
  for (const char c : attempt_id) {
    good = good &&
           (absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '-' || c == '_' || c == '.');
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("'", attempt_id, "' cannot be an attempt's id: it is no file name"));
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateDir>> StateDir::Open(const std::string& path) {
  MA_RETURN_IF_ERROR(CheckPath(path));
  MA_RETURN_IF_ERROR(MakeDirs(path + "/attempts", 0700));
  MA_ASSIGN_OR_RETURN(UniqueFd lock, Lock(path));
  MA_ASSIGN_OR_RETURN(std::string id, WorkerId(path));
  return std::unique_ptr<StateDir>(new StateDir(path, std::move(lock), std::move(id)));
}

std::string StateDir::AttemptDir(const std::string& attempt_id) const {
  return absl::StrCat(path_, "/attempts/", attempt_id);
}

std::string StateDir::LogPath(const std::string& attempt_id) const {
  return AttemptDir(attempt_id) + "/log";
}

absl::Status StateDir::AddAttempt(const v1::Offer& offer) {
  MA_RETURN_IF_ERROR(CheckId(offer.attempt_id()));
  v1::Offer kept = offer;
  kept.mutable_registry()->clear_authfile();
  kept.clear_secrets();
  kept.clear_ssh_keys();
  const std::string dir = AttemptDir(offer.attempt_id());
  MA_RETURN_IF_ERROR(MakeDirs(dir, 0700));
  return WriteFileAtomic(dir + "/offer.pb", kept.SerializeAsString(), 0600);
}

absl::Status StateDir::KeepResult(const core::FinishedAttempt& finished) {
  MA_RETURN_IF_ERROR(CheckId(finished.attempt_id));
  const std::string dir = AttemptDir(finished.attempt_id);
  MA_RETURN_IF_ERROR(MakeDirs(dir, 0700));
  return WriteFileAtomic(dir + "/finished.pb", link::ToWire(finished).SerializeAsString(), 0600);
}

absl::Status StateDir::Forget(const std::string& attempt_id) {
  MA_RETURN_IF_ERROR(CheckId(attempt_id));
  // The result first: a crash between leaves a directory without one, which Restore removes.
  MA_RETURN_IF_ERROR(RemoveTree(AttemptDir(attempt_id) + "/finished.pb"));
  return RemoveTree(AttemptDir(attempt_id));
}

absl::StatusOr<std::vector<core::FinishedAttempt>> StateDir::Restore() {
  std::vector<core::FinishedAttempt> restored;
  std::error_code error;
  std::vector<std::string> ids;
  for (std::filesystem::directory_iterator it(attempts_dir(), error), end; !error && it != end;
       it.increment(error)) {
    ids.push_back(it->path().filename().string());
  }
  if (error) {
    return absl::UnknownError(absl::StrCat("listing ", attempts_dir(), ": ", error.message()));
  }
  for (const std::string& id : ids) {
    const absl::StatusOr<std::string> bytes = ReadFile(AttemptDir(id) + "/finished.pb");
    v1::Finished finished;
    if (bytes.ok() && finished.ParseFromString(*bytes) && finished.attempt_id() == id) {
      restored.push_back(link::FromWire(finished));
      continue;
    }
    spdlog::info("attempt {} did not survive the end of the last worker; it is removed", id);
    MA_RETURN_IF_ERROR(RemoveTree(AttemptDir(id)));
  }
  return restored;
}

}  // namespace manyarch::worker
