#include "worker/disk_watch.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/spdlog.h"

namespace manyarch::worker {

namespace {
// Walking caches in vain is not worth it every time; slots become idle, though.
constexpr int kLooksBetweenPruning = 15;
}  // namespace

DiskWatch::DiskWatch(MinFree min_free, Ports ports, absl::Duration interval)
    : min_free_(min_free), ports_(std::move(ports)), interval_(interval) {
  Look();
  thread_ = std::thread([this] {
    while (!stop_.WaitFor(interval_)) Look();
  });
}

DiskWatch::~DiskWatch() {
  stop_.Stop("the worker is ending");
  thread_.join();
}

void DiskWatch::Look() {
  absl::StatusOr<DiskSpace> disk = ports_.look();
  if (!disk.ok()) return;  // Whatever it is, attempts will tell.
  const int64_t least = min_free_.Of(*disk);
  const int64_t enough = least + least / 4;
  if (disk->free < (low_ ? enough : least) && (!low_ || ++looks_ >= kLooksBetweenPruning)) {
    looks_ = 0;
    spdlog::warn("the disk has only {} free: giving up caches until it is {}",
                 ShowBytes(disk->free), ShowBytes(enough));
    ports_.make_room(enough, stop_);
    disk = ports_.look();
    if (!disk.ok()) return;
  }
  if (!low_ && disk->free < least) {
    low_ = true;
    const std::string why = absl::StrCat(
        "its disk has only ", ShowBytes(disk->free), " of ", ShowBytes(disk->size),
        " free, less than the ", ShowBytes(least),
        " that --min-free asks for, and there is nothing more to prune; free some space there");
    spdlog::error("taking nothing new: {}", why);
    ports_.tell(why);
  } else if (low_ && disk->free >= enough) {
    low_ = false;
    spdlog::info("the disk has {} free again: taking builds", ShowBytes(disk->free));
    ports_.tell("");
  }
}

}  // namespace manyarch::worker
