// A content source that is a map, and counts what is asked of it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "manyarch/v1/content.pb.h"
#include "worker/cache/content_source.h"

namespace manyarch::worker {

// One thread at a time.
class MemorySource : public ContentSource {
 public:
  Digest Add(const std::string& bytes) {
    const Digest digest = Digest::Of(bytes);
    blobs[digest] = bytes;
    return digest;
  }
  Digest Add(const v1::Directory& directory) { return Add(directory.SerializeAsString()); }

  absl::Status Fetch(absl::Span<const Digest> digests, const StopToken& stop,
                     const Sink& sink) override {
    ++calls;
    for (const Digest& digest : digests) {
      if (stop.stopped()) return absl::CancelledError("stopped");
      const auto it = blobs.find(digest);
      if (it == blobs.end())
        return absl::NotFoundError(absl::StrCat("no blob ", digest.ToString()));
      ++fetched;
      if (absl::Status status = sink(digest, it->second); !status.ok()) return status;
    }
    return absl::OkStatus();
  }

  std::map<Digest, std::string> blobs;
  int calls = 0;
  int fetched = 0;
};

inline void AddFile(v1::Directory& dir, const std::string& name, int64_t size, uint32_t mode,
                    const std::vector<Digest>& chunks) {
  v1::FileEntry* file = dir.add_files();
  file->set_name(name);
  file->set_size(size);
  file->set_mode(mode);
  for (const Digest& chunk : chunks) file->add_chunks(chunk.ToString());
}

inline void AddDirectory(v1::Directory& dir, const std::string& name, const Digest& digest) {
  v1::DirectoryEntry* entry = dir.add_directories();
  entry->set_name(name);
  entry->set_digest(digest.ToString());
}

inline void AddLink(v1::Directory& dir, const std::string& name, const std::string& target) {
  v1::SymlinkEntry* entry = dir.add_symlinks();
  entry->set_name(name);
  entry->set_target(target);
}

}  // namespace manyarch::worker
