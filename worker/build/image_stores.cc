#include "worker/build/image_stores.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "common/base/status_macros.h"
#include "common/os/directories.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"
#include "worker/build/registry_files.h"

namespace manyarch::worker {

namespace {

constexpr absl::Duration kLookAtStop = absl::Milliseconds(50);
constexpr absl::Duration kLongWait = absl::Seconds(1);
// Images that one buildah removes. It is never killed for who waits: a store is not to be left in
// the middle of that.
constexpr size_t kMostAtOnce = 4;

StorePaths PathsIn(const std::string& dir) { return {dir + "/root", dir + "/runroot"}; }

std::string StoreDir(const std::string& directory, int slot, const v1::Platform& p) {
  return absl::StrCat(directory, "/", slot, "/", p.os(), "-", p.arch(),
                      p.variant().empty() ? "" : "-", p.variant());
}

std::set<std::string> ImagesIn(const std::string& dir) {
  std::set<std::string> ids;
  for (StoreContents::Image& image : ReadStoreContents(PathsIn(dir).root).images) {
    ids.insert(std::move(image.id));
  }
  return ids;
}

}  // namespace

std::map<std::string, std::string> OwnEnvironment() {
  std::map<std::string, std::string> result;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    result.insert(
        std::pair<std::string, std::string>(absl::StrSplit(*entry, absl::MaxSplits('=', 1))));
  }
  return result;
}

// What buildah needs to work on stores, where there is no attempt that has it. For one thread at a
// time.
class ImageStores::Workplace {
 public:
  explicit Workplace(const ImageStores& stores) : work_(stores.work_) {}
  ~Workplace() {
    if (const absl::Status status = RemoveTree(work_.dir); !status.ok()) {
      spdlog::warn("after looking after image stores: {}", std::string(status.message()));
    }
  }
  Workplace(const Workplace&) = delete;
  Workplace& operator=(const Workplace&) = delete;

  absl::Status Make() const {
    MA_RETURN_IF_ERROR(MakeDirs(work_.tmp(), 0700));
    return WriteFileAtomic(work_.registries_conf(), RegistriesConf(v1::RegistryAccess()), 0600);
  }

 private:
  const WorkPaths& work_;
};

// The stores that nobody uses, held for as long as this lives.
class ImageStores::Claim {
 public:
  explicit Claim(ImageStores* stores) : stores_(stores) {
    for (std::string& dir : stores->Directories()) {
      if (stores->TryTake(dir)) dirs_.push_back(std::move(dir));
    }
  }
  ~Claim() {
    for (const std::string& dir : dirs_) stores_->Release(dir);
  }
  // Attempts may have it again.
  void GiveBack(const std::string& dir) {
    if (std::erase(dirs_, dir) > 0) stores_->Release(dir);
  }
  template <typename Kept>
  void GiveBackAllBut(const Kept& kept) {
    for (const std::string& dir : std::vector<std::string>(dirs_)) {
      if (!kept.contains(dir)) GiveBack(dir);
    }
  }
  Claim(const Claim&) = delete;
  Claim& operator=(const Claim&) = delete;

  // By store, what to remove; empty where nothing is left.
  std::map<std::string, std::vector<std::string>> Oldest(int64_t bytes) const {
    std::vector<StoreContents> contents;
    for (const std::string& dir : dirs_) contents.push_back(ReadStoreContents(PathsIn(dir).root));
    std::map<std::string, std::vector<std::string>> result;
    for (Removal& removal : UsedLongestAgo(contents, bytes)) {
      result[dirs_[removal.store]].push_back(std::move(removal.image));
    }
    return result;
  }

 private:
  ImageStores* const stores_;
  std::vector<std::string> dirs_;
};

ImageStores::ImageStores(BuildahInfo buildah, const std::string& state_dir, int64_t limit_bytes,
                         MinFree min_free)
    : buildah_(std::move(buildah)),
      directory_(state_dir + "/slots"),
      work_(state_dir + "/cleaning"),
      limit_bytes_(limit_bytes),
      min_free_(min_free) {}

ImageStores::Use::Use(ImageStores* stores, int slot, const v1::Platform& platform,
                      const StopToken& stop, const std::function<void()>& on_wait)
    : stores_(stores),
      dir_(StoreDir(stores->directory_, slot, platform)),
      paths_(PathsIn(dir_)),
      taken_(stores->Take(dir_, stop, on_wait)) {}

ImageStores::Use::~Use() {
  if (taken_) stores_->Release(dir_);
}

absl::Status ImageStores::Use::RemoveContainers(const WorkPaths& work) const {
  return stores_->RemoveContainers(dir_, work);
}

bool ImageStores::Take(const std::string& dir, const StopToken& stop,
                       const std::function<void()>& on_wait) {
  const absl::Time long_wait = absl::Now() + kLongWait;
  bool told = false;
  absl::MutexLock lock(&mutex_);
  ++waiting_;
  const absl::Cleanup over = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { --waiting_; };
  while (!taken_.insert(dir).second) {
    if (stop.stopped()) return false;
    released_.WaitWithTimeout(&mutex_, kLookAtStop);
    if (told || absl::Now() < long_wait) continue;
    told = true;
    mutex_.Unlock();
    on_wait();
    mutex_.Lock();
  }
  return true;
}

bool ImageStores::SomebodyWaits() {
  absl::MutexLock lock(&mutex_);
  return waiting_ > 0;
}

bool ImageStores::TryTake(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  return taken_.insert(dir).second;
}

void ImageStores::Release(const std::string& dir) {
  absl::MutexLock lock(&mutex_);
  taken_.erase(dir);
  released_.SignalAll();
}

std::vector<std::string> ImageStores::Directories() const {
  std::vector<std::string> result;
  for (const std::string& slot : DirectoriesIn(directory_)) {
    for (std::string& dir : DirectoriesIn(slot)) result.push_back(std::move(dir));
  }
  return result;
}

absl::Status ImageStores::RunBuildah(const std::vector<std::string>& argv,
                                     const WorkPaths& work) const {
  Command command;
  command.argv = argv;
  command.env = BuildahEnvironment(work, OwnEnvironment());
  command.own_namespaces = true;
  RunOptions options;
  options.timeout = absl::Minutes(5);
  return RunChecked(command, options).status();
}

absl::Status ImageStores::RemoveContainers(const std::string& dir, const WorkPaths& work) const {
  const StorePaths paths = PathsIn(dir);
  if (!HasContainers(paths.root)) return absl::OkStatus();
  const absl::Status status = RunBuildah(RemoveContainersArgv(buildah_, paths), work);
  if (status.ok()) return status;
  spdlog::warn("removing the image store {} because its working containers cannot be removed: {}",
               dir, std::string(status.message()));
  return RemoveTree(dir);
}

absl::Status ImageStores::RemoveAllContainers() {
  absl::MutexLock lock(&pruning_);
  const Workplace workplace(*this);
  MA_RETURN_IF_ERROR(workplace.Make());
  absl::Status result;
  for (const std::string& dir : Directories()) result.Update(RemoveContainers(dir, work_));
  return result;
}

absl::Status ImageStores::Remove(const std::string& dir, const std::vector<std::string>& ids,
                                 const std::function<bool()>& enough) const {
  if (std::find(ids.begin(), ids.end(), "") != ids.end()) {
    spdlog::info("{}: removing the store, of which nothing was used lately", dir);
    return RemoveTree(dir);
  }
  spdlog::info("{}: removing the {} images used longest ago", dir, ids.size());
  absl::Status said;
  std::set<std::string> there = ImagesIn(dir);
  for (size_t next = 0; next < ids.size();) {
    std::vector<std::string> some;
    for (; next < ids.size() && some.size() < kMostAtOnce; ++next) {
      if (there.contains(ids[next])) some.push_back(ids[next]);
    }
    if (some.empty()) break;
    said.Update(RunBuildah(RemoveImagesArgv(buildah_, PathsIn(dir), some), work_));
    there = ImagesIn(dir);
    if (enough()) return absl::OkStatus();
  }
  // buildah takes nameless images below one that it removes along, and then complains of not
  // finding them: what counts is what is left.
  for (const std::string& id : ids) {
    if (!there.contains(id)) continue;
    return Annotate(said.ok() ? absl::InternalError("buildah rmi has left it there") : said,
                    absl::StrCat("removing the image ", id, " from ", dir));
  }
  return absl::OkStatus();
}

int64_t ImageStores::Excess(const std::vector<StoreContents>& stores) const {
  int64_t total = 0;
  for (const StoreContents& store : stores) total += store.bytes();
  int64_t excess = total > limit_bytes_ ? total - limit_bytes_ + limit_bytes_ / 10 : 0;
  if (const auto disk = DiskSpaceAt(directory_); disk.ok()) {
    excess = std::max(excess, min_free_.Of(*disk) - disk->free);
  }
  return excess;
}

absl::Status ImageStores::Prune(const StopToken& stop) {
  // One at a time is enough.
  if (!pruning_.TryLock()) return absl::OkStatus();
  const absl::Cleanup unlock = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { pruning_.Unlock(); };
  std::vector<StoreContents> all;
  for (const std::string& dir : Directories()) all.push_back(ReadStoreContents(PathsIn(dir).root));
  const int64_t excess = Excess(all);
  if (excess <= 0) return absl::OkStatus();
  const Workplace workplace(*this);
  MA_RETURN_IF_ERROR(workplace.Make());
  Claim claim(this);
  const auto oldest = claim.Oldest(excess);
  claim.GiveBackAllBut(oldest);
  const auto enough = [&] { return stop.stopped() || SomebodyWaits(); };
  absl::Status result;
  for (const auto& [dir, ids] : oldest) {
    result.Update(Remove(dir, ids, enough));
    claim.GiveBack(dir);
    if (enough()) break;
  }
  return result;
}

absl::Status ImageStores::MakeRoom(int64_t wanted_free, const StopToken& stop) {
  // Whoever prunes now may take minutes, and need not end when this is told to.
  while (!pruning_.TryLock()) {
    if (stop.WaitFor(kLookAtStop)) return absl::OkStatus();
  }
  const absl::Cleanup unlock = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { pruning_.Unlock(); };
  const Workplace workplace(*this);
  const Claim claim(this);
  while (true) {
    MA_ASSIGN_OR_RETURN(const DiskSpace disk, DiskSpaceAt(directory_));
    if (disk.free >= wanted_free) return absl::OkStatus();
    const auto oldest = claim.Oldest(wanted_free - disk.free);
    if (oldest.empty()) return absl::OkStatus();
    for (const auto& [dir, ids] : oldest) {
      if (stop.stopped()) return absl::OkStatus();
      absl::Status status = workplace.Make();
      status.Update(Remove(dir, ids, [&] { return stop.stopped(); }));
      if (status.ok() || stop.stopped()) continue;
      spdlog::warn("removing the image store {} because it cannot be made smaller: {}", dir,
                   std::string(status.message()));
      MA_RETURN_IF_ERROR(RemoveTree(dir));
    }
  }
}

}  // namespace manyarch::worker
