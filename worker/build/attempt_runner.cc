#include "worker/build/attempt_runner.h"

#include <spdlog/spdlog.h>
#include <sys/mount.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <system_error>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/os/cgroups.h"
#include "common/os/files.h"
#include "worker/build/attempt.h"
#include "worker/build/image_store.h"
#include "worker/build/registry_files.h"
#include "worker/build/secret_files.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

constexpr char kLinks[] = "/run/";  // Where WorkPaths::short_tmp are.
constexpr char kWork[] = "/work";   // In an attempt's directory: all that the runner puts there.

std::vector<std::string> DirectoriesIn(const std::string& dir) {
  std::vector<std::string> result;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && !it->is_symlink(gone)) result.push_back(it->path().string());
  }
  return result;
}

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
    const SlotUse use(this, attempt.slot);
    ImageStore store = StoreAt(StoreDir(attempt));
    const AttemptTools tools = {options_.buildah, contexts_, options_.platform_works};
    v1::Finished result =
        Attempt(attempt.offer, tools, store.paths(), work, "/" + cgroup, observer, stop).Run();
    // A failure here does not change what the attempt has come to.
    Warn("after an attempt", store.RemoveContainers(work));
    Warn("after an attempt", store.Prune(work));
    Warn("after an attempt", RemoveSecretFiles(work));
    Warn("after an attempt", RemoveTree(work.dir));
    Warn("after an attempt", RemoveCgroup(cgroup));
    Warn("after an attempt", contexts_.Prune());
    return result;
  }

  void MakeRoom(int64_t wanted_free) override {
    // Before that, stores may have working containers and mounts in them.
    if (!cleaned_up_) return;
    const auto missing = [&] {
      const auto disk = DiskSpaceAt(options_.state_dir);
      return disk.ok() ? wanted_free - disk->free : 0;
    };
    Warn("making room on the disk", contexts_.Free(missing()));
    const WorkPaths work(options_.state_dir + "/making-room");
    for (const std::string& dir : DirectoriesIn(options_.state_dir + "/slots")) {
      int slot = 0;
      if (missing() <= 0) break;
      if (!absl::SimpleAtoi(fs::path(dir).filename().string(), &slot) || !TryTake(slot)) continue;
      for (const std::string& store : DirectoriesIn(dir)) {
        const absl::Status prepared = PrepareCleaning(work);
        // A disk so full that buildah cannot run: the store is a cache.
        Warn("making room on the disk",
             prepared.ok() ? StoreAt(store).MakeRoom(work, wanted_free) : RemoveTree(store));
      }
      Release(slot);
    }
    Warn("making room on the disk", RemoveTree(work.dir));
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
    const WorkPaths work(options_.state_dir + "/cleaning");
    MA_RETURN_IF_ERROR(PrepareCleaning(work));
    for (const std::string& slot : DirectoriesIn(options_.state_dir + "/slots")) {
      for (const std::string& dir : DirectoriesIn(slot)) {
        ImageStore store = StoreAt(dir);
        result.Update(store.RemoveContainers(work));
      }
    }
    result.Update(RemoveTree(work.dir));
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

  // Holds a slot for as long as an attempt runs in it.
  class SlotUse {
   public:
    SlotUse(Runner* runner, int slot) : runner_(runner), slot_(slot) {
      absl::MutexLock lock(&runner_->mutex_);
      while (!runner_->taken_.insert(slot_).second) runner_->released_.Wait(&runner_->mutex_);
    }
    ~SlotUse() { runner_->Release(slot_); }
    SlotUse(const SlotUse&) = delete;
    SlotUse& operator=(const SlotUse&) = delete;

   private:
    Runner* const runner_;
    const int slot_;
  };

  bool TryTake(int slot) {
    absl::MutexLock lock(&mutex_);
    return taken_.insert(slot).second;
  }
  void Release(int slot) {
    absl::MutexLock lock(&mutex_);
    taken_.erase(slot);
    released_.SignalAll();
  }

  ImageStore StoreAt(const std::string& dir) const {
    return ImageStore(options_.buildah, dir, options_.store_limit_bytes, options_.min_free);
  }

  // What buildah needs to work on a store without an attempt.
  static absl::Status PrepareCleaning(const WorkPaths& work) {
    MA_RETURN_IF_ERROR(RemoveTree(work.dir));
    MA_RETURN_IF_ERROR(MakeDirs(work.tmp()));
    return WriteFileAtomic(work.registries_conf(), RegistriesConf(v1::RegistryAccess()), 0600);
  }

  // One for each slot and platform; see StorePaths.
  std::string StoreDir(const AttemptContext& attempt) const {
    const v1::Platform& p = attempt.offer.platform();
    return absl::StrCat(options_.state_dir, "/slots/", attempt.slot, "/", p.os(), "-", p.arch(),
                        p.variant().empty() ? "" : "-", p.variant());
  }

  const Options options_;
  ContextSource& contexts_;
  const std::string cgroup_prefix_;
  std::atomic<bool> cleaned_up_ = false;

  absl::Mutex mutex_;
  absl::CondVar released_;
  std::set<int> taken_ ABSL_GUARDED_BY(mutex_);  // Slots whose stores are in use.
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
