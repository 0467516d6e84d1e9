#include "common/os/limits.h"

#include <sys/resource.h>

namespace manyarch {

int64_t RaiseOpenFileLimit() {
  rlimit files = {};
  if (getrlimit(RLIMIT_NOFILE, &files) != 0) return 0;
  const rlimit raised = {files.rlim_max, files.rlim_max};
  if (setrlimit(RLIMIT_NOFILE, &raised) == 0) files = raised;
  return static_cast<int64_t>(files.rlim_cur);
}

}  // namespace manyarch
