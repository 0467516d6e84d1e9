// Messages as JSON: protobuf's own mapping, with the field names of the .proto files.
#pragma once

#include <string>

#include "google/protobuf/message.h"
#include "manyarch/v1/types.pb.h"

namespace manyarch::cli {

// Fields that are not set are written too, with their default. Ends with a newline.
std::string ToJson(const google::protobuf::Message& message);

// What a build left behind: {"job_id", "state", "digest", "tags": […], "platforms": […]}.
std::string ResultJson(const v1::Job& job);

// The keys of buildx's --metadata-file, and what each platform took under "manyarch.platforms".
std::string MetadataJson(const v1::Job& job);

}  // namespace manyarch::cli
