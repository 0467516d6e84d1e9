#include "cli/commands/hidden.h"

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/complete.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "common/os/man_page.h"

namespace manyarch::cli {

namespace {

absl::Status WriteManPages(const CLI::App& command, const std::string& directory) {
  MA_RETURN_IF_ERROR(
      WriteFileAtomic(absl::StrCat(directory, "/", ManPageName(command), ".1"), ManPage(command)));
  for (const CLI::App* inner : command.get_subcommands({})) {
    MA_RETURN_IF_ERROR(WriteManPages(*inner, directory));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<int> RunHidden(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() >= 2 && args[0] == "__complete" && args[1] == "--") {
    Print(ToText(Complete(app, absl::MakeConstSpan(args).subspan(2))));
    return 0;
  }
  if (args.size() == 2 && args[0] == "__man") {
    absl::Status status = MakeDirs(args[1]);
    if (status.ok()) status = WriteManPages(app, args[1]);
    return status.ok() ? 0 : Fail(status);
  }
  return std::nullopt;
}

}  // namespace manyarch::cli
