#include "cli/farms.h"

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "cli/nearest.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

std::string Variable(const Getenv& getenv, const char* name) {
  const char* value = getenv(name);
  return value == nullptr ? "" : value;
}

absl::Status Wrong(const std::string& path, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("the config file ", path, " ", what,
                   "; repair it, or remove it and write it anew with `manyarch farms add`"));
}

absl::StatusOr<std::string> AddressOf(const std::string& farm, const std::string& path) {
  MA_ASSIGN_OR_RETURN(const Farms farms, ReadFarms(path));
  const auto found = farms.address.find(farm);
  if (found != farms.address.end()) return found->second;
  std::vector<std::string> names;
  for (const auto& [name, address] : farms.address) names.push_back(name);
  const std::string nearest = Nearest(farm, names);
  return absl::NotFoundError(absl::StrCat("there is no farm '", farm, "' in ", path,
                                          nearest.empty()
                                              ? "; `manyarch farms` lists those that there are"
                                              : absl::StrCat(": did you mean '", nearest, "'?")));
}

}  // namespace

std::string ConfigPath(const Getenv& getenv) {
  if (std::string path = Variable(getenv, "MANYARCH_CONFIG"); !path.empty()) return path;
  std::string root = Variable(getenv, "XDG_CONFIG_HOME");
  if (root.empty()) root = Variable(getenv, "HOME") + "/.config";
  return root + "/manyarch/config.json";
}

absl::StatusOr<Farms> ReadFarms(const std::string& path) {
  const auto text = ReadFile(path);
  if (absl::IsNotFound(text.status())) return Farms();
  MA_RETURN_IF_ERROR(text.status());
  const auto json = nlohmann::json::parse(*text, nullptr, /*allow_exceptions=*/false);
  if (json.is_discarded() || !json.is_object()) return Wrong(path, "is no JSON object");
  Farms out;
  if (const auto current = json.find("current"); current != json.end()) {
    if (!current->is_string()) return Wrong(path, "has a \"current\" that is no string");
    out.current = current->get<std::string>();
  }
  const auto farms = json.find("farms");
  if (farms == json.end()) return out;
  if (!farms->is_object()) return Wrong(path, "has \"farms\" that are no object");
  for (const auto& [name, farm] : farms->items()) {
    const auto controller = farm.is_object() ? farm.find("controller") : farm.end();
    if (!farm.is_object() || controller == farm.end() || !controller->is_string() ||
        !IsAddress(controller->get<std::string>())) {
      return Wrong(path,
                   absl::StrCat("has a farm '", name, "' without \"controller\": \"HOST:PORT\""));
    }
    out.address[name] = controller->get<std::string>();
  }
  return out;
}

absl::Status WriteFarms(const std::string& path, const Farms& farms) {
  nlohmann::ordered_json json;
  json["current"] = farms.current;
  json["farms"] = nlohmann::ordered_json::object();
  for (const auto& [name, address] : farms.address) json["farms"][name]["controller"] = address;
  if (const size_t slash = path.rfind('/'); slash != std::string::npos && slash > 0) {
    MA_RETURN_IF_ERROR(MakeDirs(path.substr(0, slash), 0700));
  }
  return WriteFileAtomic(path, json.dump(2) + "\n", 0600);
}

bool IsFarmName(absl::string_view name) {
  return !name.empty() && name.size() <= 64 && std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  });
}

bool IsAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  int port = 0;
  return colon != absl::string_view::npos && colon > 0 &&
         absl::SimpleAtoi(text.substr(colon + 1), &port) && port >= 1 && port <= 65535;
}

absl::StatusOr<std::string> ChooseController(const std::string& controller_flag,
                                             const std::string& farm_flag, const Getenv& getenv) {
  const auto checked = [](const std::string& address) -> absl::StatusOr<std::string> {
    if (IsAddress(address)) return address;
    return absl::InvalidArgumentError(
        absl::StrCat("the controller's address '", address,
                     "' is not HOST:PORT: set --controller or MANYARCH_CONTROLLER, e.g. to "
                     "farm.example.com:7460"));
  };
  if (!controller_flag.empty() && !farm_flag.empty()) {
    return absl::InvalidArgumentError("--controller and --farm both say which farm: give one");
  }
  const std::string path = ConfigPath(getenv);
  if (!controller_flag.empty()) return checked(controller_flag);
  if (!farm_flag.empty()) return AddressOf(farm_flag, path);
  if (const std::string address = Variable(getenv, "MANYARCH_CONTROLLER"); !address.empty()) {
    return checked(address);
  }
  if (const std::string farm = Variable(getenv, "MANYARCH_FARM"); !farm.empty()) {
    return AddressOf(farm, path);
  }
  MA_ASSIGN_OR_RETURN(const Farms farms, ReadFarms(path));
  if (farms.current.empty()) return std::string(kDefaultController);
  return AddressOf(farms.current, path);
}

}  // namespace manyarch::cli
