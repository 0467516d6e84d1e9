// The client's config file: the farms that a user works with, by name.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch::cli {

inline constexpr char kDefaultController[] = "127.0.0.1:7460";

using Getenv = std::function<const char*(const char*)>;

struct Farms {
  std::string current;                         // Empty: none.
  std::map<std::string, std::string> address;  // "HOST:PORT" of the controller, by the farm's name.
};

// MANYARCH_CONFIG, else $XDG_CONFIG_HOME/manyarch/config.json, else ~/.config/manyarch/config.json.
std::string ConfigPath(const Getenv& getenv);

// {"current": "lab", "farms": {"lab": {"controller": "HOST:PORT"}}}. No farms where there is no
// file. INVALID_ARGUMENT names the file and what is wrong in it.
absl::StatusOr<Farms> ReadFarms(const std::string& path);
// Written as a whole (0600); its directory is made where it is missing.
absl::Status WriteFarms(const std::string& path, const Farms& farms);

// Letters, digits, '.', '_' and '-', at most 64 of them.
bool IsFarmName(absl::string_view name);

// "farm.example.com:7460", "[::1]:7460"
bool IsAddress(absl::string_view text);

// Which controller is meant: the flags `--controller` and `--farm` (empty: not given; never both),
// then MANYARCH_CONTROLLER, MANYARCH_FARM, the config file's current farm, 127.0.0.1:7460. The file
// is read only where it is needed.
absl::StatusOr<std::string> ChooseController(const std::string& controller_flag,
                                             const std::string& farm_flag, const Getenv& getenv);

}  // namespace manyarch::cli
