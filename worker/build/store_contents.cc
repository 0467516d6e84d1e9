#include "worker/build/store_contents.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <system_error>
#include <tuple>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"

namespace manyarch::worker {

namespace {

using Json = nlohmann::json;
namespace fs = std::filesystem;

// The store's directory "<driver>-<kind>"; empty where there is none.
std::string IndexDir(const std::string& root, absl::string_view kind) {
  std::error_code error;
  for (fs::directory_iterator it(root, error), end; !error && it != end; it.increment(error)) {
    if (absl::EndsWith(it->path().filename().string(), absl::StrCat("-", kind))) {
      return it->path().string();
    }
  }
  return "";
}

Json ReadIndex(const std::string& dir, absl::string_view kind) {
  const auto text = ReadFile(absl::StrCat(dir, "/", kind, ".json"));
  return Json::parse(text.ok() ? *text : "[]", nullptr, /*allow_exceptions=*/false);
}

std::string Text(const Json& object, const char* key) {
  const auto it = object.is_object() ? object.find(key) : object.end();
  return it != object.end() && it->is_string() ? it->get<std::string>() : "";
}

// Calls `visit` with each layer of the image, from the top.
template <typename Visit>
void ForEachLayer(const StoreContents& store, const std::string& top, const Visit& visit) {
  // A store that refers to itself is broken; it has no more layers than it has.
  size_t left = store.layers.size();
  for (auto it = store.layers.find(top); it != store.layers.end() && left > 0; --left) {
    visit(it->first, it->second);
    it = store.layers.find(it->second.parent);
  }
}

}  // namespace

int64_t StoreContents::bytes() const {
  int64_t total = 0;
  for (const auto& [id, layer] : layers) total += layer.bytes;
  return total;
}

int64_t StoreContents::unused_bytes() const {
  std::set<std::string> used;
  for (const Image& image : images) {
    ForEachLayer(*this, image.layer, [&](const std::string& id, const auto&) { used.insert(id); });
  }
  int64_t total = bytes();
  for (const std::string& id : used) total -= layers.at(id).bytes;
  return total;
}

StoreContents ReadStoreContents(const std::string& root) {
  StoreContents store;
  for (const Json& entry : ReadIndex(IndexDir(root, "layers"), "layers")) {
    StoreContents::Layer& layer = store.layers[Text(entry, "id")];
    layer.parent = Text(entry, "parent");
    const auto size = entry.is_object() ? entry.find("diff-size") : entry.end();
    if (size != entry.end() && size->is_number_integer()) {
      layer.bytes = std::max<int64_t>(0, size->get<int64_t>());
    }
  }
  const std::string images = IndexDir(root, "images");
  for (const Json& entry : ReadIndex(images, "images")) {
    const std::string id = Text(entry, "id");
    struct stat info = {};
    if (id.empty() || stat(absl::StrCat(images, "/", id).c_str(), &info) != 0) continue;
    store.images.push_back({id, Text(entry, "layer"), absl::TimeFromTimespec(info.st_mtim)});
  }
  return store;
}

bool HasContainers(const std::string& root) {
  const Json index = ReadIndex(IndexDir(root, "containers"), "containers");
  return index.is_discarded() || !index.empty();
}

void MarkUsed(const std::string& root, const std::set<std::string>& image_ids, absl::Time now) {
  const StoreContents store = ReadStoreContents(root);
  std::set<std::string> layers;
  for (const StoreContents::Image& image : store.images) {
    if (!image_ids.contains(image.id)) continue;
    ForEachLayer(store, image.layer,
                 [&](const std::string& id, const auto&) { layers.insert(id); });
  }
  const std::string images = IndexDir(root, "images");
  const timespec times[2] = {absl::ToTimespec(now), absl::ToTimespec(now)};
  for (const StoreContents::Image& image : store.images) {
    if (!image_ids.contains(image.id) && !layers.contains(image.layer)) continue;
    utimensat(AT_FDCWD, absl::StrCat(images, "/", image.id).c_str(), times, 0);
  }
}

namespace {

struct LayerUse {
  absl::Time used = absl::InfinitePast();
  int images = 0;  // That are made of it.
};

struct Candidate {
  absl::Time used;
  int depth = 0;
  size_t store = 0;
  const StoreContents::Image* image = nullptr;
};

std::map<std::string, LayerUse> UsesOfLayers(const StoreContents& store) {
  std::map<std::string, LayerUse> uses;
  for (const StoreContents::Image& image : store.images) {
    ForEachLayer(store, image.layer, [&](const std::string& id, const auto&) {
      LayerUse& use = uses[id];
      use.used = std::max(use.used, image.used);
      ++use.images;
    });
  }
  return uses;
}

}  // namespace

std::vector<Removal> UsedLongestAgo(const std::vector<StoreContents>& stores, int64_t bytes) {
  std::vector<std::map<std::string, LayerUse>> uses(stores.size());
  std::vector<int64_t> unused(stores.size());
  std::vector<size_t> images_left(stores.size());
  std::vector<Candidate> candidates;
  std::vector<Removal> result;
  for (size_t s = 0; s < stores.size(); ++s) {
    unused[s] = stores[s].unused_bytes();
    if (bytes > 0 && unused[s] > stores[s].bytes() / 2) {
      result.push_back({s, ""});
      bytes -= stores[s].bytes();
      continue;
    }
    uses[s] = UsesOfLayers(stores[s]);
    images_left[s] = stores[s].images.size();
    for (const StoreContents::Image& image : stores[s].images) {
      Candidate candidate{image.used, 0, s, &image};
      ForEachLayer(stores[s], image.layer, [&](const auto&, const auto&) { ++candidate.depth; });
      if (candidate.depth > 0) candidate.used = uses[s][image.layer].used;
      candidates.push_back(candidate);
    }
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::make_tuple(a.used, -a.depth, a.store, a.image->id) <
           std::make_tuple(b.used, -b.depth, b.store, b.image->id);
  });
  for (const Candidate& candidate : candidates) {
    if (bytes <= 0) break;
    const size_t s = candidate.store;
    result.push_back({s, candidate.image->id});
    ForEachLayer(stores[s], candidate.image->layer,
                 [&](const std::string& id, const StoreContents::Layer& layer) {
                   if (--uses[s][id].images == 0) bytes -= layer.bytes;
                 });
    if (--images_left[s] > 0) continue;
    std::erase_if(result, [s](const Removal& removal) { return removal.store == s; });
    result.push_back({s, ""});
    bytes -= unused[s];
  }
  return result;
}

}  // namespace manyarch::worker
