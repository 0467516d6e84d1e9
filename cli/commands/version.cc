// manyarch version
#include "cli/version.h"

#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

int RunVersion(const std::string& format, const Invocation& invocation) {
  Client client(invocation.controller);
  const absl::StatusOr<v1::GetInfoResponse> info = client.GetInfo(absl::Seconds(3));
  if (format == "json") {
    nlohmann::ordered_json json;
    json["client"] = {{"version", kVersion}};
    if (info.ok()) {
      json["controller"] = {{"address", invocation.controller},
                            {"version", info->version()},
                            {"protocol_version", info->protocol_version()}};
    } else {
      json["controller"] = nullptr;
    }
    Print(json.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n");
    return 0;
  }
  Print(absl::StrCat("manyarch ", kVersion, "\n"));
  if (info.ok()) {
    Print(absl::StrCat("controller ", info->version(), " at ", invocation.controller, ", protocol ",
                       info->protocol_version(), "\n"));
  } else {
    Print(absl::StrCat("controller: none at ", invocation.controller, "\n"));
  }
  return 0;
}

}  // namespace

void AddVersion(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      NewCommand(app, invocation, "version", "Versions of this program and of the controller");
  const auto format = std::make_shared<std::string>("table");
  AddFormat(*command, *format);
  command->callback([format, &invocation] {
    invocation.run = [format, &invocation] { return RunVersion(*format, invocation); };
  });
}

}  // namespace manyarch::cli
