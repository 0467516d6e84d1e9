#include "cli/dev/local_registry.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "registry/curl_transport.h"

namespace manyarch::cli {

bool IsRegistry(const std::string& host_port) {
  registry::CurlTransport transport("manyarch");
  registry::Request request;
  request.url = absl::StrCat("http://", host_port, "/v2/");
  request.connect_timeout = absl::Seconds(2);
  request.timeout = absl::Seconds(5);
  const auto response = transport.Send(request, nullptr);
  if (!response.ok()) return false;
  return response->status == 401 ||
         (response->status == 200 &&
          (!response->Header("docker-distribution-api-version").empty() || response->body == "{}"));
}

bool PortIsFree(int port) {
  const UniqueFd fd(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const int on = 1;
  setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  sockaddr generic{};
  static_assert(sizeof generic == sizeof address);
  std::memcpy(&generic, &address, sizeof address);
  return bind(fd.get(), &generic, sizeof generic) == 0;
}

absl::StatusOr<Command> PrepareRegistry(const std::string& directory, int port) {
  auto program = FindProgram("docker-registry");
  if (!program.ok()) {
    return absl::NotFoundError(
        "docker-registry is not installed: `apt-get install docker-registry`, or name a registry "
        "that runs already with --registry HOST:PORT");
  }
  MA_RETURN_IF_ERROR(MakeDirs(absl::StrCat(directory, "/images")));
  const std::string config = absl::StrCat(directory, "/config.yml");
  // A single-quoted scalar, so that any path can stand in it.
  const std::string images = absl::StrReplaceAll(absl::StrCat(directory, "/images"), {{"'", "''"}});
  MA_RETURN_IF_ERROR(WriteFileAtomic(config, absl::StrCat("version: 0.1\n"
                                                          "log:\n"
                                                          "  level: warn\n"
                                                          "  accesslog:\n"
                                                          "    disabled: true\n"
                                                          "storage:\n"
                                                          "  filesystem:\n"
                                                          "    rootdirectory: '",
                                                          images,
                                                          "'\n"
                                                          "  delete:\n"
                                                          "    enabled: true\n"
                                                          "http:\n"
                                                          "  addr: 127.0.0.1:",
                                                          port, "\n")));
  Command command;
  command.argv = {*program, "serve", config};
  return command;
}

}  // namespace manyarch::cli
