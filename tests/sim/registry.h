// A registry that remembers what was pushed.
#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controller/core/effects.h"
#include "tests/sim/run_context.h"

namespace manyarch::sim {

namespace core = controller::core;

// "linux/amd64=sha256:a;linux/arm64=sha256:b"
core::PublishIntent BuildSimList(const std::vector<core::ListEntry>& entries,
                                 core::ImageFormat format);
// The images of such a list, by platform; a platform that stands there twice is there twice.
std::vector<std::pair<std::string, std::string>> EntriesOf(const std::string& list);
// "registry/app:v1" → "registry/app".
std::string RepositoryOf(const std::string& tag);

// Outlives every controller. As real ones do, it refuses what refers to something absent; and it
// may delete what no tag leads to.
class SimRegistry {
 public:
  explicit SimRegistry(RunContext* run);

  struct Image {
    Platform platform;  // What it really is.
    absl::Time pushed;
    bool deleted = false;
  };

  // What is in one repository is not in another.
  std::map<std::string, Image> images;       // By "repository@digest".
  std::map<std::string, std::string> lists;  // By "repository@digest": bytes.
  std::map<std::string, std::string> tags;   // "repository:tag" → digest.
  // Called whenever a tag has moved, to a list or to an image; `from` is empty for a new tag.
  std::function<void(const std::string& tag, const std::string& from, const std::string& digest)>
      on_tag_moved;

  void PushImage(const std::string& repository, const std::string& digest,
                 const Platform& platform);
  bool Has(const std::string& repository, const std::string& digest) const;
  const Image& Find(const std::string& repository, const std::string& digest) const;
  absl::Status CopyImage(const std::string& from, const std::string& to, const std::string& digest);
  absl::Status PutList(const std::string& repository, const core::PublishIntent& intent);
  absl::Status PutTag(const std::string& tag, const core::PublishIntent& intent);
  absl::Status PutImageTag(const std::string& tag, const std::string& digest);

  // Deletes images that have been untagged, and in no tagged list, for longer than this registry
  // keeps them.
  void Collect();

 private:
  void Move(const std::string& tag, const std::string& digest);

  RunContext* const run_;
  const absl::Duration keeps_untagged_;
};

}  // namespace manyarch::sim
