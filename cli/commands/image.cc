// manyarch image inspect|create|append
#include <cstdio>
#include <memory>

#include "absl/strings/str_cat.h"
#include "cli/commands/command.h"
#include "cli/image/access.h"
#include "cli/image/inspect.h"

namespace manyarch::cli {

namespace {

// Somebody is looking at the screen.
constexpr absl::Duration kPatience = absl::Seconds(10);

struct InspectFlags {
  RegistryFlags registry;
  std::string reference;
  std::string format = "table";
  bool raw = false;
};

void AddRegistryFlags(CLI::App& command, RegistryFlags& flags) {
  command
      .add_option("--authfile", flags.authfile,
                  "Registry credentials (default: REGISTRY_AUTH_FILE, DOCKER_CONFIG, then where "
                  "podman login and docker login leave them)")
      ->type_name("FILE");
  command
      .add_option("--plain-http", flags.plain_http,
                  "A registry to speak to without TLS (repeatable)")
      ->type_name("HOST[:PORT]")
      ->allow_extra_args(false);
}

int RunInspect(const InspectFlags& flags) {
  if (flags.reference.empty()) {
    return Fail(absl::InvalidArgumentError("image inspect: which REFERENCE?"));
  }
  const auto reference = registry::ParseReference(flags.reference);
  if (!reference.ok()) return Fail(reference.status());
  const auto access = RegistryAccess::Open(flags.registry, {*reference}, kPatience);
  if (!access.ok()) return Fail(access.status());
  if (flags.raw) {
    const auto fetched = (*access)->client().GetManifest(*reference);
    if (!fetched.ok()) return Fail(fetched.status());
    Print(fetched->bytes);
    return 0;
  }
  const auto inspection = Inspect((*access)->client(), *reference);
  if (!inspection.ok()) return Fail(inspection.status());
  Print(flags.format == "json" ? InspectionJson(*inspection) : InspectionText(*inspection));
  return 0;
}

void AddInspect(CLI::App& image, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(image, invocation, "inspect",
                                      "Show the list or the image that a reference names");
  const auto flags = std::make_shared<InspectFlags>();
  command
      ->add_option("REFERENCE", flags->reference,
                   "Its name, with a tag (default: latest) or a digest")
      ->type_name("");
  AddRegistryFlags(*command, flags->registry);
  AddFormat(*command, flags->format);
  command->add_flag("--raw", flags->raw, "Print the manifest's bytes and nothing else");
  command->callback(
      [flags, &invocation] { invocation.run = [flags] { return RunInspect(*flags); }; });
}

}  // namespace

void AddImage(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(app, invocation, "image",
                                      "Look at lists and images in registries, and assemble them");
  command->require_subcommand(1);
  AddInspect(*command, invocation);
}

}  // namespace manyarch::cli
