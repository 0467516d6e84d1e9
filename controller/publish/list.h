// The list builder that the core is given.
#pragma once

#include <vector>

#include "controller/core/types.h"

namespace manyarch::controller::publish {

// The Docker v2s2 list, or the OCI index, of the entries: its exact bytes and digest. Entries that
// cannot make one (which checked images never are) give an intent without bytes, which is refused
// when it is to be published.
core::PublishIntent BuildList(const std::vector<core::ListEntry>& entries,
                              core::ImageFormat format = core::ImageFormat::kDocker);

}  // namespace manyarch::controller::publish
