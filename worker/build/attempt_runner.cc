#include "worker/build/attempt_runner.h"

#include <spdlog/spdlog.h>
#include <sys/mount.h>

#include <atomic>
#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/os/cgroups.h"
#include "common/os/directories.h"
#include "common/os/files.h"
#include "worker/build/attempt.h"
#include "worker/build/image_stores.h"
#include "worker/build/secret_files.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

constexpr char kLinks[] = "/run/";  // Where WorkPaths::short_tmp are.
constexpr char kWork[] = "/work";   // In an attempt's directory: all that the runner puts there.

// Mount points below `dir`, the innermost first.
std::vector<std::string> MountsBelow(const std::string& dir) {
  std::vector<std::string> result;
  const std::string table = ReadFile("/proc/self/mountinfo").value_or("");
  for (absl::string_view line : absl::StrSplit(table, '\n')) {
    const std::vector<absl::string_view> fields = absl::StrSplit(line, ' ');
    if (fields.size() < 5) continue;
    std::string path;
    absl::CUnescape(fields[4], &path);  // "\040" for a space.
    if (absl::StartsWith(path, dir + "/")) result.insert(result.begin(), path);
  }
  return result;
}

void Warn(absl::string_view what, const absl::Status& status) {
  if (!status.ok()) spdlog::warn("{}: {}", std::string(what), std::string(status.message()));
}

class Runner : public AttemptRunner {
 public:
  Runner(Options options, ContextSource* contexts)
      : options_(std::move(options)),
        contexts_(*contexts),
        stores_(options_.buildah, options_.state_dir, options_.store_limit_bytes,
                options_.min_free),
        // Told apart from other workers' on this machine.
        cgroup_prefix_(
            absl::StrCat("manyarch-", Digest::Of(options_.state_dir).hex().substr(0, 8), "-")) {}

  v1::Finished Run(const AttemptContext& attempt, AttemptObserver& observer,
                   const StopToken& stop) override {
    WorkPaths work(attempt.attempt_dir + kWork);
    // At the top, so that none has a parent that would have to be kept, or removed at the right
    // moment.
    const std::string cgroup = cgroup_prefix_ + attempt.offer.attempt_id();
    if (attempt.offer.options().ssh_ids_size() > 0) work.short_tmp = kLinks + cgroup;
    v1::Finished result = RunInStore(attempt, work, cgroup, observer, stop);
    // A failure here does not change what the attempt has come to.
    Warn("after an attempt", RemoveSecretFiles(work));
    Warn("after an attempt", RemoveTree(work.dir));
    Warn("after an attempt", RemoveCgroup(cgroup));
    return result;
  }

  void Prune(const StopToken& stop) override {
    Warn("giving up what is over the limit", stores_.Prune(stop));
    Warn("giving up what is over the limit", contexts_.Prune(stop));
  }

  void MakeRoom(int64_t wanted_free, const StopToken& stop) override {
    // Before that, stores may have working containers and mounts in them.
    if (!cleaned_up_) return;
    const auto disk = DiskSpaceAt(options_.state_dir);
    Warn("making room on the disk", contexts_.Free(disk.ok() ? wanted_free - disk->free : 0));
    Warn("making room on the disk", stores_.MakeRoom(wanted_free, stop));
  }

  absl::Status CleanUpAll(const std::string& attempts_dir) override {
    absl::Status result;
    for (const std::string& dir : {options_.state_dir, attempts_dir}) {
      for (const std::string& mount : MountsBelow(dir)) {
        if (umount2(mount.c_str(), MNT_DETACH) != 0) {
          result.Update(absl::ErrnoToStatus(errno, absl::StrCat("unmounting ", mount)));
        }
      }
    }
    for (const std::string& dir : DirectoriesIn(attempts_dir)) {
      result.Update(RemoveTree(dir + kWork));
    }
    result.Update(RemoveLinks());
    result.Update(stores_.RemoveAllContainers());
    result.Update(RemoveCgroupsNamed(cgroup_prefix_));
    cleaned_up_ = true;
    return Annotate(result, "removing what earlier attempts have left");
  }

 private:
  // Those that a killed worker has left in kLinks.
  absl::Status RemoveLinks() const {
    absl::Status result;
    std::error_code error;
    for (fs::directory_iterator it(kLinks, error), end; !error && it != end; it.increment(error)) {
      std::error_code gone;
      if (absl::StartsWith(it->path().filename().string(), cgroup_prefix_) &&
          it->is_symlink(gone)) {
        result.Update(RemoveTree(it->path().string()));
      }
    }
    return result;
  }

  v1::Finished RunInStore(const AttemptContext& attempt, const WorkPaths& work,
                          const std::string& cgroup, AttemptObserver& observer,
                          const StopToken& stop) {
    const ImageStores::Use store(&stores_, attempt.slot, attempt.offer.platform(), stop, [&] {
      observer.OnOutput("manyarch: waiting for the image store: making room on the disk\n");
    });
    if (!store.ok()) {
      v1::Finished cancelled;
      cancelled.set_attempt_id(attempt.offer.attempt_id());
      cancelled.mutable_cancelled();
      return cancelled;
    }
    const AttemptTools tools = {options_.buildah, contexts_, options_.platform_works};
    Attempt one(attempt.offer, tools, store.paths(), work, cgroup, observer, stop);
    v1::Finished result = one.Run();
    Warn("after an attempt", store.RemoveContainers(work));
    MarkUsed(store.paths().root, one.UsedImages(), absl::Now());
    return result;
  }

  const Options options_;
  ContextSource& contexts_;
  ImageStores stores_;
  const std::string cgroup_prefix_;
  std::atomic<bool> cleaned_up_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AttemptRunner>> AttemptRunner::Create(Options options,
                                                                     ContextSource* contexts) {
  if (options.state_dir.empty() || options.state_dir.front() != '/' ||
      options.state_dir.find_first_of(",:\"\\") != std::string::npos) {
    // Its paths become values of flags that buildah splits at commas, and options of mounts.
    return absl::InvalidArgumentError(
        absl::StrCat("the state directory '", options.state_dir,
                     "' must be an absolute path without commas, colons, quotes and backslashes"));
  }
  MA_RETURN_IF_ERROR(MakeDirs(options.state_dir + "/slots", 0700));
  return std::make_unique<Runner>(std::move(options), contexts);
}

}  // namespace manyarch::worker
