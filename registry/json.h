// Strict reading of JSON that others wrote. Internal to this folder: nlohmann's types stay here.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::registry {

// One JSON object. Refuses other values, broken UTF-8, anything after it, and duplicate keys: two
// readers of one document might otherwise see two different images. `what` names it in errors.
absl::StatusOr<nlohmann::json> ParseObject(absl::string_view bytes, absl::string_view what);

// The member, which must be a string; absent: nullopt. Other types are errors.
absl::StatusOr<std::optional<std::string>> OptionalString(const nlohmann::json& object,
                                                          absl::string_view key,
                                                          absl::string_view what);
absl::StatusOr<std::string> RequiredString(const nlohmann::json& object, absl::string_view key,
                                           absl::string_view what);
// A whole number from 0 to 2^63-1.
absl::StatusOr<int64_t> RequiredSize(const nlohmann::json& object, absl::string_view key,
                                     absl::string_view what);

}  // namespace manyarch::registry
