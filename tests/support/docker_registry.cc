#include "tests/support/docker_registry.h"

#include <arpa/inet.h>
#include <crypt.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "common/base/status_macros.h"

namespace manyarch::testing {

namespace {

constexpr char kProgram[] = "/usr/bin/docker-registry";

sockaddr_in Loopback(int port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(static_cast<uint16_t>(port));
  return address;
}

// Free at this moment; another process may take it, so the caller tries again.
int FreePort() {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address = Loopback(0);
  socklen_t size = sizeof(address);
  int port = 0;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
      getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(address.sin_port);
  }
  close(fd);
  return port;
}

bool Answers(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  const bool up = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return up;
}

}  // namespace

DockerRegistry::DockerRegistry(DockerRegistryOptions options, std::string directory)
    : options_(std::move(options)), directory_(std::move(directory)) {}

absl::StatusOr<std::unique_ptr<DockerRegistry>> DockerRegistry::Start(
    DockerRegistryOptions options) {
  if (access(kProgram, X_OK) != 0) {
    return absl::NotFoundError(absl::StrCat(kProgram, " is not installed"));
  }
  std::string directory = std::filesystem::temp_directory_path() / "manyarch-registry-XXXXXX";
  if (mkdtemp(directory.data()) == nullptr) {
    return absl::UnavailableError("cannot make a directory for docker-registry");
  }
  std::unique_ptr<DockerRegistry> registry(
      new DockerRegistry(std::move(options), std::move(directory)));
  absl::Status status;
  for (int i = 0; i < 10; ++i) {
    registry->port_ = FreePort();
    status = registry->WriteConfig();
    if (status.ok()) status = registry->Launch();
    if (status.ok()) return registry;
  }
  return status;
}

DockerRegistry::~DockerRegistry() {
  Stop();
  std::error_code ignored;
  std::filesystem::remove_all(directory_, ignored);
}

std::string DockerRegistry::host() const { return absl::StrCat("127.0.0.1:", port_); }

absl::Status DockerRegistry::WriteConfig() {
  std::ofstream config(directory_ + "/config.yml");
  config << "version: 0.1\nlog:\n  level: info\n  accesslog:\n    disabled: false\n"
         << "storage:\n  filesystem:\n    rootdirectory: " << directory_ << "/data\n"
         << "  delete:\n    enabled: " << (options_.allow_delete ? "true" : "false") << "\n"
         << "http:\n  addr: " << host() << "\n";
  if (options_.tls != nullptr) {
    config << "  tls:\n    certificate: " << options_.tls->server_cert()
           << "\n    key: " << options_.tls->server_key() << "\n";
    if (options_.wants_client_certificate) {
      config << "    clientcas:\n      - " << options_.tls->ca() << "\n";
    }
  }
  if (!options_.token_realm.empty()) {
    config << "auth:\n  token:\n    realm: " << options_.token_realm
           << "\n    service: " << options_.token_service
           << "\n    issuer: " << options_.token_issuer << "\n    rootcertbundle: " << directory_
           << "/tokens.pem\n";
    std::ofstream(directory_ + "/tokens.pem") << options_.token_certificate_pem;
  } else if (!options_.user.empty()) {
    config << "auth:\n  htpasswd:\n    realm: test\n    path: " << directory_ << "/htpasswd\n";
    const std::string salt = crypt_gensalt("$2y$", 4, nullptr, 0);
    std::ofstream(directory_ + "/htpasswd")
        << options_.user << ":" << crypt(options_.password.c_str(), salt.c_str()) << "\n";
  }
  config.close();
  return config ? absl::OkStatus() : absl::UnavailableError("cannot write the registry's config");
}

absl::Status DockerRegistry::Launch() {
  const std::string config = directory_ + "/config.yml";
  const std::string log = directory_ + "/log";
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ < 0) return absl::UnavailableError("cannot fork");
  if (pid_ == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    const int in = open("/dev/null", O_RDONLY);
    const int out = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(in, 0);
    dup2(out, 1);
    dup2(out, 2);
    execl(kProgram, kProgram, "serve", config.c_str(), static_cast<char*>(nullptr));
    _exit(127);
  }
  const absl::Time deadline = absl::Now() + absl::Seconds(30);
  while (absl::Now() < deadline) {
    int status = 0;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return absl::UnavailableError(absl::StrCat("docker-registry ended: ", Log()));
    }
    if (Answers(port_)) return absl::OkStatus();
    absl::SleepFor(absl::Milliseconds(5));
  }
  Stop();
  return absl::UnavailableError("docker-registry does not answer");
}

void DockerRegistry::Stop() {
  if (pid_ <= 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

absl::Status DockerRegistry::StartAgain() {
  Stop();
  return Launch();
}

std::string DockerRegistry::Log() const {
  std::ifstream file(directory_ + "/log");
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace manyarch::testing
