// manyarch completion bash|zsh|fish
#include <memory>

#include "cli/commands/command.h"
#include "cli/complete.h"

namespace manyarch::cli {

void AddCompletion(CLI::App& app, Invocation& invocation) {
  CLI::App* command =
      NewLocalCommand(app, invocation, "completion",
                      "Print the script with which a shell completes manyarch's command line");
  const auto shell = std::make_shared<std::string>();
  command->add_option("SHELL", *shell, "bash, zsh or fish")
      ->check(CLI::IsMember({"bash", "zsh", "fish"}))
      ->type_name("")
      ->required();
  command->footer(
      "bash: source <(manyarch completion bash), in ~/.bashrc\n"
      "zsh:  source <(manyarch completion zsh), in ~/.zshrc after compinit\n"
      "fish: manyarch completion fish > ~/.config/fish/completions/manyarch.fish");
  command->callback([shell, &invocation] {
    invocation.run = [shell] {
      Print(CompletionScript(*shell));
      return 0;
    };
  });
}

}  // namespace manyarch::cli
