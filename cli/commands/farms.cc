// manyarch farms ls|add|use|rm
#include "cli/farms.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/render/table.h"
#include "common/base/status_macros.h"
#include "nlohmann/json.hpp"

namespace manyarch::cli {

namespace {

struct FarmsFlags {
  std::string name;
  std::string address;
  bool use = false;
  std::string format = "table";
};

std::string Path() {
  return ConfigPath([](const char* name) -> const char* {
    // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
    return getenv(name);
  });
}

absl::Status List(const FarmsFlags& flags) {
  MA_ASSIGN_OR_RETURN(const Farms farms, ReadFarms(Path()));
  if (flags.format == "json") {
    nlohmann::ordered_json json;
    json["config"] = Path();
    json["current"] = farms.current;
    json["farms"] = nlohmann::ordered_json::array();
    for (const auto& [name, address] : farms.address) {
      json["farms"].push_back({{"name", name}, {"controller", address}});
    }
    Print(json.dump(2) + "\n");
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows = {{"CURRENT", "NAME", "CONTROLLER"}};
  for (const auto& [name, address] : farms.address) {
    rows.push_back({name == farms.current ? "*" : "", name, address});
  }
  Print(AlignedTable(rows));
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing here changes the environment.
  for (const char* variable : {"MANYARCH_CONTROLLER", "MANYARCH_FARM"}) {
    const char* value = getenv(variable);
    if (value == nullptr || *value == '\0') continue;
    std::fprintf(stderr, "note: %s is set to %s and goes before the current farm\n", variable,
                 value);
    break;
  }
  return absl::OkStatus();
}

absl::Status Add(const FarmsFlags& flags) {
  if (!IsFarmName(flags.name)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", flags.name, "' cannot be a farm's name: use letters, digits, '.', '_' and '-'"));
  }
  if (!IsAddress(flags.address)) {
    return absl::InvalidArgumentError(
        absl::StrCat("the controller's address '", flags.address, "' is not HOST:PORT"));
  }
  MA_ASSIGN_OR_RETURN(Farms farms, ReadFarms(Path()));
  const auto [entry, added] = farms.address.emplace(flags.name, flags.address);
  if (!added && entry->second != flags.address) {
    return absl::AlreadyExistsError(absl::StrCat("the farm '", flags.name, "' is there, at ",
                                                 entry->second, ": `manyarch farms rm ", flags.name,
                                                 "` removes it"));
  }
  if (flags.use || farms.current.empty()) farms.current = flags.name;
  return WriteFarms(Path(), farms);
}

absl::Status Use(const FarmsFlags& flags) {
  MA_ASSIGN_OR_RETURN(Farms farms, ReadFarms(Path()));
  if (!farms.address.contains(flags.name)) {
    return absl::NotFoundError(absl::StrCat("there is no farm '", flags.name, "' in ", Path(),
                                            ": `manyarch farms add ", flags.name,
                                            " HOST:PORT` adds it"));
  }
  farms.current = flags.name;
  return WriteFarms(Path(), farms);
}

absl::Status Remove(const FarmsFlags& flags) {
  MA_ASSIGN_OR_RETURN(Farms farms, ReadFarms(Path()));
  if (farms.address.erase(flags.name) == 0) {
    return absl::NotFoundError(absl::StrCat("there is no farm '", flags.name, "' in ", Path()));
  }
  if (farms.current == flags.name) farms.current.clear();
  return WriteFarms(Path(), farms);
}

void Run(CLI::App& command, Invocation& invocation, const std::shared_ptr<FarmsFlags>& flags,
         absl::Status (*action)(const FarmsFlags&)) {
  command.callback([&command, flags, action, &invocation] {
    if (!command.get_subcommands().empty()) return;
    invocation.run = [flags, action] {
      const absl::Status status = action(*flags);
      return status.ok() ? 0 : Fail(status);
    };
  });
}

}  // namespace

void AddFarms(CLI::App& app, Invocation& invocation) {
  const auto flags = std::make_shared<FarmsFlags>();
  CLI::App* command =
      NewLocalCommand(app, invocation, "farms", "Name the farms that you work with");
  command->require_subcommand(0, 1);
  command->footer(
      "Which controller a command asks: --controller or --farm, else MANYARCH_CONTROLLER, else\n"
      "MANYARCH_FARM, else the current farm, else 127.0.0.1:7460. Farms are kept in the file that\n"
      "MANYARCH_CONFIG names (default ~/.config/manyarch/config.json).");
  AddFormat(*command, flags->format);
  Run(*command, invocation, flags, List);
  CLI::App* list = NewLocalCommand(*command, invocation, "ls", "List the farms");
  AddFormat(*list, flags->format);
  Run(*list, invocation, flags, List);
  CLI::App* add = NewLocalCommand(*command, invocation, "add",
                                  "Add a farm; the first one becomes the current one");
  add->add_option("NAME", flags->name, "How you call it")->type_name("")->required();
  add->add_option("HOST:PORT", flags->address, "Where its controller listens")
      ->type_name("")
      ->required();
  add->add_flag("--use", flags->use, "Make it the current one");
  Run(*add, invocation, flags, Add);
  CLI::App* use = NewLocalCommand(*command, invocation, "use", "Make a farm the current one");
  use->add_option("NAME", flags->name, "Which")->type_name("")->required();
  Run(*use, invocation, flags, Use);
  CLI::App* remove = NewLocalCommand(*command, invocation, "rm", "Forget a farm");
  remove->add_option("NAME", flags->name, "Which")->type_name("")->required();
  Run(*remove, invocation, flags, Remove);
}

}  // namespace manyarch::cli
