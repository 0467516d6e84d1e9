// What is in buildah's image stores, when it was last used, and what of it to give up first.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace manyarch::worker {

// The images (base images, results and, without a name, cached steps) and layers of one store.
struct StoreContents {
  struct Layer {
    std::string parent;  // Empty: none.
    int64_t bytes = 0;   // Unpacked.
  };
  struct Image {
    std::string id;
    std::string layer;  // Its topmost; empty: it has none.
    absl::Time used;    // When it was stored or, by MarkUsed, last used.
  };
  std::map<std::string, Layer> layers;
  std::vector<Image> images;

  int64_t bytes() const;
  // Of the layers that no image is made of. A build or a pull that was killed leaves some; buildah
  // has no command for them. Of a store in use they are what is being made. A layer that was being
  // unpacked has no size yet and counts as nothing: it is marked incomplete, and whoever writes to
  // the store next removes it.
  int64_t unused_bytes() const;
};

// Reads the indexes below the store's root, whatever the storage driver. Nothing where there are
// none or they cannot be read.
StoreContents ReadStoreContents(const std::string& root);

// Whether the store has working containers. Yes where that cannot be told.
bool HasContainers(const std::string& root);

// Notes that these images, and all that they are made of, were used at `now`: in the time of last
// change of each image's directory in the store, which goes with the image and means nothing to
// buildah. Ids that are not there are ignored.
void MarkUsed(const std::string& root, const std::set<std::string>& image_ids, absl::Time now);

struct Removal {
  size_t store = 0;
  std::string image;  // Empty: the whole store.

  friend bool operator==(const Removal&, const Removal&) = default;
};

// Enough for `bytes` to be freed, or all there is. Whole stores of which less than half is images
// come first; then, over all stores, images, the one used longest ago first. What others are made
// of is as recent as they are, and comes after them. A store whose images all go goes as a whole.
std::vector<Removal> UsedLongestAgo(const std::vector<StoreContents>& stores, int64_t bytes);

}  // namespace manyarch::worker
