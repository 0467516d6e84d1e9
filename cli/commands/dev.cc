// manyarch dev: a whole farm on this machine.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/client.h"
#include "cli/commands/command.h"
#include "cli/dev/farm.h"
#include "cli/dev/local_registry.h"
#include "cli/dev/place.h"
#include "cli/exit_code.h"
#include "cli/render/words.h"
#include "common/base/status_macros.h"
#include "common/os/files.h"
#include "registry/reference.h"

namespace manyarch::cli {

namespace {

struct DevFlags {
  std::string state_dir;
  int port = 7460;
  std::string registry;
  int registry_port = 5000;
  int slots = 0;
  std::string name;
};

constexpr absl::Duration kStartPatience = absl::Seconds(30);
// The worker first proves every platform by running a program for it.
constexpr absl::Duration kWorkerPatience = absl::Minutes(2);

// One `manyarch dev` from start to stop.
class Dev {
 public:
  Dev(const DevFlags& flags, std::string state_dir)
      : flags_(flags), state_dir_(std::move(state_dir)), farm_(absl::StrCat(state_dir_, "/log")) {}

  // Returns the exit status.
  int Run() {
    const absl::Status started = StartAll();
    const absl::Status end = started.ok() ? farm_.Watch(signals_) : started;
    // A signal while starting is as good a reason to stop as any.
    const bool asked = end.ok() || absl::IsAborted(end);
    if (!asked) Fail(end);
    if (!farm_.parts().empty()) {
      std::fputs("Stopping.\n", stderr);
      // What a broken farm builds has nobody to be reported to.
      farm_.Stop(signals_, /*finish_builds=*/asked);
    }
    return asked ? kExitOk : kExitInfrastructure;
  }

 private:
  absl::Status StartAll() {
    MA_RETURN_IF_ERROR(StartRegistry());
    MA_RETURN_IF_ERROR(StartController());
    MA_RETURN_IF_ERROR(StartWorker());
    Tell();
    // An idle connection of ours would hold up the controller's stopping.
    client_.reset();
    return absl::OkStatus();
  }

  absl::Status StartRegistry() {
    if (!flags_.registry.empty()) {
      registry_ = flags_.registry;
      plain_http_ = IsRegistry(registry_);
      Say(absl::StrCat("registry:    ", registry_,
                       plain_http_ ? " (yours, without TLS)" : " (yours, expected to have TLS)"));
      return absl::OkStatus();
    }
    registry_ = absl::StrCat("127.0.0.1:", flags_.registry_port);
    plain_http_ = true;
    if (!PortIsFree(flags_.registry_port)) {
      if (!IsRegistry(registry_)) {
        return absl::UnavailableError(
            absl::StrCat("port ", flags_.registry_port,
                         " of 127.0.0.1, where the registry would "
                         "listen, is taken by something that is not a registry. Stop that, or use "
                         "another port with --registry-port, or a registry of yours with "
                         "--registry HOST:PORT."));
      }
      Say(absl::StrCat("registry:    ", registry_, " (one runs there already: using it)"));
      return absl::OkStatus();
    }
    MA_ASSIGN_OR_RETURN(
        const Command command,
        PrepareRegistry(absl::StrCat(state_dir_, "/registry"), flags_.registry_port));
    MA_RETURN_IF_ERROR(farm_.Start("registry", command));
    MA_RETURN_IF_ERROR(farm_.WaitUntil("the registry answers", kStartPatience, signals_,
                                       [&] { return IsRegistry(registry_); }));
    Say(absl::StrCat("registry:    ", registry_));
    return absl::OkStatus();
  }

  absl::Status StartController() {
    if (flags_.port != 0 && !PortIsFree(flags_.port)) {
      return absl::UnavailableError(
          absl::StrCat("port ", flags_.port,
                       " of 127.0.0.1, where the controller would listen, is taken. If a "
                       "farm runs already, use that; else choose another port with --port."));
    }
    Command command;
    MA_ASSIGN_OR_RETURN(const std::string program, FindSibling("manyarch-controller"));
    const std::string port_file = absl::StrCat(state_dir_, "/controller.port");
    unlink(port_file.c_str());
    command.argv = {program,
                    "--listen",
                    absl::StrCat("127.0.0.1:", flags_.port),
                    "--state-dir",
                    absl::StrCat(state_dir_, "/controller"),
                    "--port-file",
                    port_file};
    if (plain_http_) {
      command.argv.insert(command.argv.end(), {"--plain-http", registry_});
      if (flags_.registry.empty()) {
        command.argv.insert(command.argv.end(),
                            {"--plain-http", absl::StrCat("localhost:", flags_.registry_port)});
      }
    }
    MA_RETURN_IF_ERROR(farm_.Start("controller", command));
    MA_RETURN_IF_ERROR(farm_.WaitUntil("the controller listens", kStartPatience, signals_, [&] {
      const auto text = ReadFile(port_file);
      int port = 0;
      if (!text.ok() || !absl::SimpleAtoi(absl::StripAsciiWhitespace(*text), &port)) {
        return false;
      }
      if (client_ == nullptr) {
        client_ = std::make_unique<Client>(absl::StrCat("127.0.0.1:", port));
      }
      return client_->GetInfo(absl::Seconds(2)).ok();
    }));
    Say(absl::StrCat("controller:  ", client_->address()));
    return absl::OkStatus();
  }

  absl::Status StartWorker() {
    MA_ASSIGN_OR_RETURN(const std::string program, FindSibling("manyarch-worker"));
    const std::string name = flags_.name.empty() ? HostName() : flags_.name;
    const int slots = flags_.slots > 0
                          ? flags_.slots
                          : std::clamp(static_cast<int>(std::thread::hardware_concurrency()), 2, 4);
    Command command;
    command.argv = {program,
                    "--controller",
                    client_->address(),
                    "--state-dir",
                    absl::StrCat(state_dir_, "/worker"),
                    "--name",
                    name,
                    "--slots",
                    absl::StrCat(slots)};
    MA_RETURN_IF_ERROR(farm_.Start("worker", command));
    v1::Worker worker;
    MA_RETURN_IF_ERROR(farm_.WaitUntil("the worker is connected", kWorkerPatience, signals_, [&] {
      const auto workers = client_->ListWorkers();
      if (!workers.ok()) return false;
      for (const v1::Worker& candidate : workers->workers()) {
        if (candidate.description().name() == name &&
            candidate.state() == v1::WORKER_STATE_CONNECTED) {
          worker = candidate;
          return true;
        }
      }
      return false;
    }));
    std::vector<std::string> platforms;
    for (const v1::OfferedPlatform& offered : worker.description().platforms()) {
      platforms.push_back(
          absl::StrCat(PlatformText(offered.platform()), offered.emulated() ? " (emulated)" : ""));
    }
    Say(absl::StrCat("worker:      ", name, ", ", slots, " slots: ",
                     platforms.empty() ? "offers no platform; `manyarch workers show` tells why"
                                       : absl::StrJoin(platforms, ", ")));
    return absl::OkStatus();
  }

  void Tell() const {
    Say(absl::StrCat("state:       ", state_dir_));
    Say(absl::StrCat("logs:        ", state_dir_, "/log/*.log"));
    const std::string address = client_->address() == "127.0.0.1:7460"
                                    ? ""
                                    : absl::StrCat("MANYARCH_CONTROLLER=", client_->address(), " ");
    Say(absl::StrCat("The farm is ready. Try, in another terminal:\n  ", address,
                     "manyarch build -t ", registry_,
                     "/my/app:1.0 --platform linux/amd64,linux/arm64 DIRECTORY\n"
                     "Ctrl-C stops it all."));
  }

  static void Say(const std::string& line) { Print(absl::StrCat(line, "\n")); }

  const DevFlags& flags_;
  const std::string state_dir_;
  SignalWaiter signals_;
  DevFarm farm_;
  std::string registry_;
  bool plain_http_ = false;
  std::unique_ptr<Client> client_;
};

int RunDev(const DevFlags& flags) {
  if (!flags.registry.empty()) {
    // A repository below it must make a reference: that tells whether it is a host.
    const auto reference = registry::ParseRepository(absl::StrCat(flags.registry, "/x/x"));
    if (!reference.ok() || reference->registry != flags.registry) {
      return Fail(absl::InvalidArgumentError(
          absl::StrCat("--registry '", flags.registry, "' is not a registry: write it HOST:PORT")));
    }
  }
  BlockSignals();
  const std::string state_dir = flags.state_dir.empty() ? DefaultStateDir() : flags.state_dir;
  for (const absl::Status& status :
       {MakeDirs(state_dir, 0700), MakeDirs(absl::StrCat(state_dir, "/log"), 0700)}) {
    if (!status.ok()) return Fail(status);
  }
  if (const absl::Status locked = LockDirectory(state_dir); !locked.ok()) return Fail(locked);
  return Dev(flags, state_dir).Run();
}

}  // namespace

void AddDev(CLI::App& app, Invocation& invocation) {
  CLI::App* command = NewLocalCommand(
      app, invocation, "dev", "Run a whole farm on this machine: registry, controller, worker");
  const auto flags = std::make_shared<DevFlags>();
  command
      ->add_option("--state-dir", flags->state_dir,
                   absl::StrCat("Where everything is kept (default ", DefaultStateDir(), ")"))
      ->type_name("DIR");
  command->add_option("--port", flags->port, "Where the controller listens (default 7460, 0: any)")
      ->check(CLI::Range(0, 65535))
      ->type_name("PORT");
  CLI::Option* registry =
      command->add_option("--registry", flags->registry, "Use this registry instead of an own one")
          ->type_name("HOST:PORT");
  command
      ->add_option("--registry-port", flags->registry_port,
                   "Where the registry listens (default 5000)")
      ->check(CLI::Range(1, 65535))
      ->excludes(registry)
      ->type_name("PORT");
  command->add_option("--slots", flags->slots, "Builds at one time (default: by cores, 2 to 4)")
      ->check(CLI::Range(1, 256))
      ->type_name("N");
  command->add_option("--name", flags->name, "The worker's name (default: this machine's)")
      ->type_name("NAME");
  command->callback([flags, &invocation] { invocation.run = [flags] { return RunDev(*flags); }; });
}

}  // namespace manyarch::cli
