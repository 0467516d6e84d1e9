// Opening files without leaving a directory.
#pragma once

#include <sys/types.h>

#include <string>

#include "common/os/files.h"

namespace manyarch {

// Opens `name` below `dir` with openat2(2)'s RESOLVE_BENEATH: neither "..", nor links, nor absolute
// paths lead out of `dir`; what would is EXDEV. Links that stay below are followed unless `flags`
// have O_NOFOLLOW. Without openat2 (before Linux 5.6; seccomp profiles of that time) a name
// without '/' is opened unless it is a link to follow, anything else is ENOSYS or EPERM. Not ok():
// errno says why.
UniqueFd OpenBeneath(int dir, const std::string& name, int flags, mode_t mode = 0);

// The same, but no part of `name` may be a link: ELOOP or ENOTDIR. The last one may with O_PATH in
// `flags`, which opens the link itself. Does not need openat2.
UniqueFd OpenWithoutLinks(int dir, const std::string& name, int flags);

}  // namespace manyarch
