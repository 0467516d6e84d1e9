// What the files of a context held when they were last read, so that those which have not changed
// since need not be read again.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "cli/context/hash_file.h"

namespace manyarch::cli {

// The digests of one context, in one file of a cache directory that all contexts of this user
// share. It is only ever a cache: where its file is missing, damaged, somebody else's or cannot be
// written, files are read as if there were none. Commands that run at the same time replace each
// other's file as a whole. Find is safe to call from several threads.
class DigestCache {
 public:
  // Paths relative to the context, with what was found there.
  using Files = std::vector<std::pair<std::string, HashedFile>>;

  // Remembers nothing.
  DigestCache() = default;
  // Of the context in `directory` (absolute), below `cache_directory` (empty: remembers nothing).
  static DigestCache Load(const std::string& cache_directory, const std::string& directory);

  // What the file holds if it is still in the state in which it was read; else null.
  const FileContent* Find(absl::string_view path, const FileStamp& stamp) const;

  // Keeps these files in place of those loaded, without those that are not settled, and drops the
  // contexts used longest ago where there are many. Writes nothing where nothing is new.
  void Replace(const Files& files, bool changed) const;

 private:
  struct Entry {
    FileStamp stamp;
    FileContent content;
  };

  std::string cache_directory_;
  std::string directory_;
  std::string file_;
  absl::flat_hash_map<std::string, Entry> entries_;
};

// Where this user's digests are kept: $XDG_CACHE_HOME/manyarch/digests or
// ~/.cache/manyarch/digests; empty where there is neither. `getenv` answers for the environment.
std::string DigestCacheDirectory(const char* (*getenv)(const char*));

}  // namespace manyarch::cli
