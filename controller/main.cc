// manyarch-controller: takes jobs, gives their builds to workers, publishes the lists.
#include <sys/stat.h>

#include <cstdlib>
#include <iostream>

#include "common/os/limits.h"
#include "common/os/logging.h"
#include "common/os/signals.h"
#include "controller/check.h"
#include "controller/controller.h"
#include "controller/options.h"
#include "spdlog/spdlog.h"

int main(int argc, char** argv) {
  manyarch::BlockSignals();
  // Jobs, logs and contexts are nobody else's business.
  umask(077);
  // What gRPC has to say is said in our own sentences.
  setenv("GRPC_VERBOSITY", "NONE", /*overwrite=*/0);
  manyarch::controller::Options options;
  if (const auto exit_code = manyarch::controller::ParseOptions(argc, argv, &options)) {
    return *exit_code;
  }
  if (const absl::Status status = manyarch::InitLogging("manyarch-controller", options.log_level);
      !status.ok()) {
    std::cerr << "manyarch-controller: --log-level: " << status.message() << "\n";
    return 2;
  }
  if (options.check) {
    const absl::Status whole = manyarch::controller::CheckStateDir(options.state_dir, std::cout);
    if (!whole.ok()) std::cerr << "manyarch-controller: " << whole.message() << "\n";
    return whole.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  // Each worker and each reader of a log is a connection.
  manyarch::RaiseOpenFileLimit();
  auto controller = manyarch::controller::Controller::Start(options);
  if (!controller.ok()) {
    spdlog::error("{}", std::string(controller.status().message()));
    return EXIT_FAILURE;
  }
  manyarch::SignalWaiter signals;
  while (signals.Wait() == SIGHUP) {
  }
  spdlog::info("stopping");
  (*controller)->Stop();
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}
