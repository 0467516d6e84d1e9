#include "worker/build/secret_files.h"

#include <spdlog/spdlog.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <functional>

#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

using Secrets = google::protobuf::RepeatedPtrField<v1::Secret>;
using Ids = google::protobuf::RepeatedPtrField<std::string>;

absl::Status WriteThem(const Ids& ids, const Secrets& secrets,
                       const std::function<std::string(int)>& path_of) {
  for (int n = 0; n < ids.size(); ++n) {
    for (const v1::Secret& secret : secrets) {
      if (secret.id() != ids[n]) continue;
      MA_RETURN_IF_ERROR(WriteFileAtomic(path_of(n), secret.value(), 0600));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status WriteSecretFiles(const v1::Offer& offer, const WorkPaths& work) {
  const v1::BuildOptions& options = offer.options();
  if (options.secret_ids().empty() && options.ssh_ids().empty()) return absl::OkStatus();
  MA_RETURN_IF_ERROR(MakeDirs(work.secrets(), 0700));
  if (mount("manyarch-secrets", work.secrets().c_str(), "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
            "mode=700,size=16m") != 0) {
    spdlog::warn("the secrets of attempt {} lie on the disk for as long as it runs: {}",
                 offer.attempt_id(), std::strerror(errno));
  }
  MA_RETURN_IF_ERROR(
      WriteThem(options.secret_ids(), offer.secrets(), [&](int n) { return work.secret(n); }));
  if (options.ssh_ids().empty()) return absl::OkStatus();
  if (symlink(work.tmp().c_str(), work.short_tmp.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("making the link ", work.short_tmp));
  }
  return WriteThem(options.ssh_ids(), offer.ssh_keys(), [&](int n) { return work.ssh_key(n); });
}

absl::Status RemoveSecretFiles(const WorkPaths& work) {
  if (!work.short_tmp.empty()) MA_RETURN_IF_ERROR(RemoveTree(work.short_tmp));
  if (umount2(work.secrets().c_str(), MNT_DETACH | UMOUNT_NOFOLLOW) == 0 || errno == ENOENT ||
      errno == EINVAL) {
    return absl::OkStatus();
  }
  return absl::ErrnoToStatus(errno, absl::StrCat("unmounting ", work.secrets()));
}

}  // namespace manyarch::worker
