#include "worker/build/image_store.h"

#include <spdlog/spdlog.h>
#include <unistd.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/subprocess.h"

namespace manyarch::worker {

namespace {

namespace fs = std::filesystem;

// Reads `name` in the store's directory `*-<kind>`, whatever the storage driver ("overlay-layers");
// empty where there is none.
std::string ReadIndex(const std::string& root, absl::string_view kind) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (absl::EndsWith(it->path().filename().string(), absl::StrCat("-", kind))) {
      return ReadFile(absl::StrCat(it->path().string(), "/", kind, ".json")).value_or("");
    }
  }
  return "";
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

ImageStore::ImageStore(BuildahInfo buildah, std::string dir, int64_t limit_bytes, MinFree min_free)
    : buildah_(std::move(buildah)),
      dir_(std::move(dir)),
      limit_bytes_(limit_bytes),
      min_free_(min_free),
      paths_{dir_ + "/root", dir_ + "/runroot"} {}

absl::Status ImageStore::RunBuildah(const std::vector<std::string>& argv, const WorkPaths& work) {
  Command command;
  command.argv = argv;
  command.env = BuildahEnvironment(work, OwnEnvironment());
  command.own_namespaces = true;
  RunOptions options;
  options.timeout = absl::Minutes(5);
  return RunChecked(command, options).status();
}

bool ImageStore::HasContainers() const {
  const std::string index = ReadIndex(paths_.root, "containers");
  const absl::string_view text = absl::StripAsciiWhitespace(index);
  return !text.empty() && text != "[]" && text != "null";
}

bool ImageStore::TooBig() const {
  if (const auto disk = DiskSpaceAt(dir_); disk.ok() && disk->free < min_free_.Of(*disk)) {
    return true;
  }
  int64_t total = 0;
  const auto layers = nlohmann::json::parse(ReadIndex(paths_.root, "layers"), nullptr,
                                            /*allow_exceptions=*/false);
  if (!layers.is_array()) return false;
  for (const auto& layer : layers) {
    if (!layer.is_object()) continue;
    const auto size = layer.find("diff-size");
    if (size != layer.end() && size->is_number_integer()) total += size->get<int64_t>();
  }
  return total > limit_bytes_;
}

absl::Status ImageStore::RemoveContainers(const WorkPaths& work) {
  if (!HasContainers()) return absl::OkStatus();
  const absl::Status status = RunBuildah(RemoveContainersArgv(buildah_, paths_), work);
  if (status.ok()) return status;
  spdlog::warn("removing the image store {} because its working containers cannot be removed: {}",
               dir_, std::string(status.message()));
  return RemoveTree(dir_);
}

absl::Status ImageStore::Prune(const WorkPaths& work) {
  for (const worker::Prune what : {worker::Prune::kCachedLayers, worker::Prune::kEverything}) {
    if (!TooBig()) return absl::OkStatus();
    MA_RETURN_IF_ERROR(RunBuildah(PruneArgv(buildah_, paths_, what), work));
  }
  return absl::OkStatus();
}

absl::Status ImageStore::MakeRoom(const WorkPaths& work, int64_t wanted_free) {
  for (const worker::Prune what : {worker::Prune::kCachedLayers, worker::Prune::kEverything}) {
    MA_ASSIGN_OR_RETURN(const DiskSpace disk, DiskSpaceAt(dir_));
    if (disk.free >= wanted_free) return absl::OkStatus();
    const absl::Status status = RunBuildah(PruneArgv(buildah_, paths_, what), work);
    if (status.ok()) continue;
    spdlog::warn("removing the image store {} because it cannot be made smaller: {}", dir_,
                 std::string(status.message()));
    return RemoveTree(dir_);
  }
  return absl::OkStatus();
}

}  // namespace manyarch::worker
