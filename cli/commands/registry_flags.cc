#include "cli/commands/registry_flags.h"

namespace manyarch::cli {

void AddRegistryFlags(CLI::App& command, image::RegistryFlags& flags) {
  command
      .add_option("--authfile", flags.authfile,
                  "Registry credentials (default: REGISTRY_AUTH_FILE, else where podman login and "
                  "docker login leave them)")
      ->type_name("FILE");
  command
      .add_option("--registries", flags.registries,
                  "How registries are spoken to, as the controller's file has it: certificates, "
                  "limits (default: MANYARCH_REGISTRIES)")
      ->type_name("FILE");
  command
      .add_option("--plain-http", flags.plain_http,
                  "A registry to speak to without TLS (repeatable)")
      ->type_name("HOST[:PORT]")
      ->allow_extra_args(false);
}

}  // namespace manyarch::cli
