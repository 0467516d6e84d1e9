// A registry with pushed images, and the two ways of making a list of them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/base/platform.h"
#include "tests/support/docker_registry.h"
#include "tests/support/test_image.h"

namespace manyarch::bench {

struct Pushed {
  Platform platform;
  testing::TestImage image;
};

// As many images as there are platforms, of up to eight.
std::vector<Pushed> MakeImages(size_t count);

// What publishing one list cost.
struct Cost {
  absl::Duration time;
  int requests = 0;
  int puts = 0;         // Of manifests.
  int layer_reads = 0;  // GETs of layers.
};

// A real docker-registry whose access log is the count. Not thread-safe.
class CountedRegistry {
 public:
  static absl::StatusOr<std::unique_ptr<CountedRegistry>> Start();

  std::string host() const { return registry_->host(); }
  // Pushes the images as workers do.
  absl::Status Push(const std::string& repository, const std::vector<Pushed>& images);
  // What was logged since the last call, but for the time.
  Cost Count(const std::vector<Pushed>& images);
  // Whether the tag leads to a list of exactly these images.
  absl::Status Check(const std::string& repository, const std::string& tag,
                     const std::vector<Pushed>& images);

 private:
  explicit CountedRegistry(std::unique_ptr<testing::DockerRegistry> registry)
      : registry_(std::move(registry)) {}

  std::unique_ptr<testing::DockerRegistry> registry_;
  size_t seen_ = 0;  // Bytes of its log.
};

// As the controller does it: all images are checked at the same time, then the list is written by
// digest and under the tag. With connections of its own.
absl::StatusOr<absl::Duration> PublishByController(const std::string& host,
                                                   const std::string& repository,
                                                   const std::string& tag,
                                                   const std::vector<Pushed>& images);

// buildah manifest create, add for each image, push --all. The program's own start-up is in it.
absl::StatusOr<absl::Duration> PublishByBuildah(const std::string& host,
                                                const std::string& repository,
                                                const std::string& tag,
                                                const std::vector<Pushed>& images,
                                                const std::string& storage);
// How long as many starts of buildah take that do nothing.
absl::StatusOr<absl::Duration> StartBuildah(size_t times);

}  // namespace manyarch::bench
