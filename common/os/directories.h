#pragma once

#include <string>
#include <vector>

namespace manyarch {

// The full paths of the directories right below `dir`, sorted; symbolic links are none. Empty where
// `dir` cannot be read, or is not there.
std::vector<std::string> DirectoriesIn(const std::string& dir);

}  // namespace manyarch
