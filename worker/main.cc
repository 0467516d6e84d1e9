// manyarch-worker: runs builds for a controller.
#include <cstdlib>
#include <iostream>

#include "common/os/logging.h"
#include "common/os/signals.h"
#include "spdlog/spdlog.h"
#include "worker/doctor.h"
#include "worker/options.h"
#include "worker/startup.h"

int main(int argc, char** argv) {
  manyarch::BlockSignals();
  manyarch::worker::Options options;
  if (const auto exit_code = manyarch::worker::ParseOptions(argc, argv, &options)) {
    return *exit_code;
  }
  if (options.doctor) {
    return manyarch::worker::Doctor(options, std::cout) ? EXIT_SUCCESS : EXIT_FAILURE;
  }
  if (const absl::Status status = manyarch::InitLogging("manyarch-worker", options.log_level);
      !status.ok()) {
    std::cerr << "manyarch-worker: --log-level: " << status.message() << "\n";
    return 2;
  }
  if (const absl::Status status = manyarch::worker::RunWorker(options); !status.ok()) {
    spdlog::error("{}", std::string(status.message()));
    return EXIT_FAILURE;
  }
  spdlog::info("stopped");
  return EXIT_SUCCESS;
}
