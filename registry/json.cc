#include "registry/json.h"

#include <limits>
#include <set>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/base/status_macros.h"

namespace manyarch::registry {

namespace {
using nlohmann::json;

constexpr int kMaxDepth = 64;

std::string Key(absl::string_view key) {
  return absl::StrCat("\"", absl::CHexEscape(key.substr(0, 100)), "\"");
}
}  // namespace

absl::StatusOr<json> ParseObject(absl::string_view bytes, absl::string_view what) {
  std::vector<std::set<std::string>> open;  // The keys seen in each object that is open.
  std::optional<std::string> duplicate;
  bool too_deep = false;
  const auto watch = [&](int depth, json::parse_event_t event, json& parsed) {
    // Copying and printing recurse: depth is stack.
    too_deep = too_deep || depth > kMaxDepth;
    if (too_deep) return false;
    if (event == json::parse_event_t::object_start) open.emplace_back();
    if (event == json::parse_event_t::object_end && !open.empty()) open.pop_back();
    if (event == json::parse_event_t::key && !open.empty()) {
      const auto& key = parsed.get_ref<const std::string&>();
      if (!open.back().insert(key).second && !duplicate) duplicate = key;
    }
    return true;
  };
  json parsed = json::parse(bytes.begin(), bytes.end(), watch, /*allow_exceptions=*/false);
  if (too_deep) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " is nested more than ", kMaxDepth, " levels deep"));
  }
  if (parsed.is_discarded()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " is not JSON: it begins with '",
                                                   absl::CHexEscape(bytes.substr(0, 60)), "'"));
  }
  if (duplicate) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " has the key ", Key(*duplicate), " twice"));
  }
  if (!parsed.is_object()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, " is not a JSON object but ", parsed.type_name()));
  }
  return parsed;
}

absl::StatusOr<std::optional<std::string>> OptionalString(const json& object, absl::string_view key,
                                                          absl::string_view what) {
  const auto member = object.find(std::string(key));
  if (member == object.end() || member->is_null()) return std::nullopt;
  if (!member->is_string()) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", Key(key), " is ", member->type_name(), " instead of a string"));
  }
  return member->get<std::string>();
}

absl::StatusOr<std::string> RequiredString(const json& object, absl::string_view key,
                                           absl::string_view what) {
  MA_ASSIGN_OR_RETURN(std::optional<std::string> value, OptionalString(object, key, what));
  if (!value || value->empty()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has no ", Key(key)));
  }
  return *std::move(value);
}

absl::StatusOr<int64_t> RequiredSize(const json& object, absl::string_view key,
                                     absl::string_view what) {
  const auto member = object.find(std::string(key));
  if (member == object.end()) {
    return absl::InvalidArgumentError(absl::StrCat(what, " has no ", Key(key)));
  }
  // nlohmann keeps every whole number that is not negative as unsigned.
  if (!member->is_number_unsigned() ||
      member->get<uint64_t>() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat(what, ": ", Key(key), " is not a whole number from 0 on"));
  }
  return member->get<int64_t>();
}

}  // namespace manyarch::registry
