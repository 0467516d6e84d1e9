#include "worker/build/stored_image.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <system_error>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

constexpr int kMostLayers = 1000;
constexpr char kDefaultPath[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

absl::StatusOr<Json> ReadJson(const std::string& path) {
  MA_ASSIGN_OR_RETURN(const std::string text, ReadFile(path));
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded()) return absl::DataLossError(absl::StrCat(path, " is not JSON"));
  return json;
}

std::string Text(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

std::vector<std::string> Texts(const Json& object, const char* key) {
  std::vector<std::string> texts;
  const auto it = object.is_object() ? object.find(key) : object.end();
  if (it == object.end() || !it->is_array()) return texts;
  for (const Json& item : *it) texts.push_back(item.is_string() ? item.get<std::string>() : "");
  return texts;
}

absl::StatusOr<std::string> DriverOf(const std::string& root) {
  std::error_code error;
  for (const char* driver : {"overlay", "vfs"}) {
    if (fs::exists(absl::StrCat(root, "/", driver, "-images/images.json"), error)) return driver;
  }
  return absl::UnimplementedError(
      "the worker's image store uses a storage driver other than overlay and vfs");
}

std::string DirOf(const std::string& root, const std::string& driver, const std::string& layer) {
  return driver == "vfs" ? absl::StrCat(root, "/vfs/dir/", layer)
                         : absl::StrCat(root, "/overlay/", layer, "/diff");
}

void TakeConfig(const Json& config, StoredImage& image) {
  image.entrypoint = Texts(config, "Entrypoint");
  image.cmd = Texts(config, "Cmd");
  image.working_dir = Text(config, "WorkingDir");
  image.path = kDefaultPath;
  for (const std::string& variable : Texts(config, "Env")) {
    if (absl::StartsWith(variable, "PATH=")) image.path = variable.substr(5);
  }
}

}  // namespace

absl::StatusOr<StoredImage> ReadStoredImage(const std::string& store_root,
                                            const std::string& image_id,
                                            const std::vector<std::string>& cache_repositories) {
  MA_ASSIGN_OR_RETURN(const std::string driver, DriverOf(store_root));
  const std::string images_dir = absl::StrCat(store_root, "/", driver, "-images/");
  MA_ASSIGN_OR_RETURN(const Json images, ReadJson(images_dir + "images.json"));
  MA_ASSIGN_OR_RETURN(const Json layers,
                      ReadJson(absl::StrCat(store_root, "/", driver, "-layers/layers.json")));

  std::string top;
  std::set<std::string> bases;  // Topmost layers of images that have a name.
  for (const Json& entry : images) {
    const std::string layer = Text(entry, "layer");
    if (Text(entry, "id") == image_id) top = layer;
    for (const std::string& name : Texts(entry, "names")) {
      const bool cached = std::any_of(
          cache_repositories.begin(), cache_repositories.end(),
          [&](const std::string& cache) { return absl::StartsWith(name, cache + ":"); });
      if (!cached) bases.insert(layer);
    }
  }
  std::map<std::string, std::string> parents;
  for (const Json& entry : layers) parents[Text(entry, "id")] = Text(entry, "parent");

  StoredImage image;
  bool above_base = true;
  std::string layer = top;
  for (int n = 0; !layer.empty() && n < kMostLayers; layer = parents[layer], ++n) {
    if (bases.contains(layer)) {
      if (above_base && driver == "vfs") image.base_tree = DirOf(store_root, driver, layer);
      above_base = false;
    }
    if (driver == "overlay" || n == 0) image.layers.push_back(DirOf(store_root, driver, layer));
    if (above_base) image.new_layers = image.layers.size();
  }

  // The configuration is filed under its digest, which is the image's id.
  const std::string name = absl::Base64Escape("sha256:" + image_id);
  MA_ASSIGN_OR_RETURN(const Json config, ReadJson(absl::StrCat(images_dir, image_id, "/=", name)));
  if (const auto it = config.is_object() ? config.find("config") : config.end();
      it != config.end()) {
    TakeConfig(*it, image);
  }
  return image;
}

}  // namespace manyarch::worker
