#include "common/os/directories.h"

#include <algorithm>
#include <filesystem>
#include <system_error>

namespace manyarch {

std::vector<std::string> DirectoriesIn(const std::string& dir) {
  std::vector<std::string> result;
  std::error_code error;
  for (std::filesystem::directory_iterator it(dir, error), end; !error && it != end;
       it.increment(error)) {
    std::error_code gone;
    if (it->is_directory(gone) && !it->is_symlink(gone)) result.push_back(it->path().string());
  }
  std::sort(result.begin(), result.end());
  return result;
}

}  // namespace manyarch
