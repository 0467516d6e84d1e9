#include "cli/commands/hidden.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "cli/commands/command.h"
#include "cli/complete.h"
#include "cli/complete_names.h"
#include "common/os/man_page.h"

namespace manyarch::cli {

std::optional<int> RunHidden(const CLI::App& app, int argc, char** argv) {
  const std::vector<std::string> args(argv + 1, argv + argc);
  if (args.size() >= 2 && args[0] == "__complete" && args[1] == "--") {
    const absl::Span<const std::string> words = absl::MakeConstSpan(args).subspan(2);
    Completion completion = Complete(app, words);
    AddNames(
        words, [](const char* name) { return getenv(name); }, completion);
    Print(ToText(completion));
    return 0;
  }
  if (args.size() == 2 && args[0] == "__man") {
    const absl::Status status = WriteManPages(app, args[1]);
    return status.ok() ? 0 : Fail(status);
  }
  return std::nullopt;
}

}  // namespace manyarch::cli
