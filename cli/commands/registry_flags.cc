#include "cli/commands/registry_flags.h"

namespace manyarch::cli {

void AddRegistryFlags(CLI::App& command, image::RegistryFlags& flags) {
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

}  // namespace manyarch::cli
