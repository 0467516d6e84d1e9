#include "worker/build/attempt_runner.h"

#include <spdlog/spdlog.h>
#include <sys/mount.h>

#include <filesystem>
#include <system_error>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "common/base/digest.h"
#include "common/base/status_macros.h"
#include "common/os/cgroups.h"
#include "common/os/files.h"
#include "worker/build/attempt.h"
#include "worker/build/image_store.h"
#include "worker/cache/content_cache.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

constexpr char kWork[] = "/work";  // In an attempt's directory: all that the runner puts there.

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
  Runner(Options options, ContentSource* content, std::unique_ptr<ContentCache> cache)
      : options_(std::move(options)),
        content_(*content),
        cache_(std::move(cache)),
        // Told apart from other workers' on this machine.
        cgroup_prefix_(
            absl::StrCat("manyarch-", Digest::Of(options_.state_dir).hex().substr(0, 8), "-")) {}

  v1::Finished Run(const AttemptContext& attempt, AttemptObserver& observer,
                   const StopToken& stop) override {
    const WorkPaths work(attempt.attempt_dir + kWork);
    // At the top, so that none has a parent that would have to be kept, or removed at the right
    // moment.
    const std::string cgroup = cgroup_prefix_ + attempt.offer.attempt_id();
    ImageStore store(options_.buildah, StoreDir(attempt), options_.store_limit_bytes);
    const AttemptTools tools = {options_.buildah, *cache_, content_};
    v1::Finished result =
        Attempt(attempt.offer, tools, store.paths(), work, "/" + cgroup, observer, stop).Run();
    // A failure here does not change what the attempt has come to.
    Warn("after an attempt", store.RemoveContainers(work));
    Warn("after an attempt", store.Prune(work));
    Warn("after an attempt", RemoveTree(work.dir));
    Warn("after an attempt", RemoveCgroup(cgroup));
    Warn("after an attempt", cache_->Prune(options_.cache_limit_bytes));
    return result;
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
    const WorkPaths work(options_.state_dir + "/cleaning");
    MA_RETURN_IF_ERROR(RemoveTree(work.dir));
    MA_RETURN_IF_ERROR(MakeDirs(work.tmp()));
    MA_RETURN_IF_ERROR(WriteFileAtomic(work.registries_conf(), RegistriesConf({}), 0600));
    for (const std::string& slot : DirectoriesIn(options_.state_dir + "/slots")) {
      for (const std::string& dir : DirectoriesIn(slot)) {
        ImageStore store(options_.buildah, dir, options_.store_limit_bytes);
        result.Update(store.RemoveContainers(work));
      }
    }
    result.Update(RemoveTree(work.dir));
    result.Update(RemoveCgroupsNamed(cgroup_prefix_));
    return Annotate(result, "removing what earlier attempts have left");
  }

 private:
  // One for each slot and platform; see StorePaths.
  std::string StoreDir(const AttemptContext& attempt) const {
    const v1::Platform& p = attempt.offer.platform();
    return absl::StrCat(options_.state_dir, "/slots/", attempt.slot, "/", p.os(), "-", p.arch(),
                        p.variant().empty() ? "" : "-", p.variant());
  }

  const Options options_;
  ContentSource& content_;
  const std::unique_ptr<ContentCache> cache_;
  const std::string cgroup_prefix_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<AttemptRunner>> AttemptRunner::Create(Options options,
                                                                     ContentSource* content) {
  if (options.state_dir.empty() || options.state_dir.front() != '/' ||
      options.state_dir.find_first_of(",:\"\\") != std::string::npos) {
    // Its paths become values of flags that buildah splits at commas, and options of mounts.
    return absl::InvalidArgumentError(
        absl::StrCat("the state directory '", options.state_dir,
                     "' must be an absolute path without commas, colons, quotes and backslashes"));
  }
  MA_RETURN_IF_ERROR(MakeDirs(options.state_dir + "/slots", 0700));
  MA_ASSIGN_OR_RETURN(auto cache, ContentCache::Open(options.state_dir + "/cache"));
  return std::make_unique<Runner>(std::move(options), content, std::move(cache));
}

}  // namespace manyarch::worker
