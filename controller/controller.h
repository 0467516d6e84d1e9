// The composition root: owns every part of the controller, their lifetimes, and the order in which
// they stop.
#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "controller/options.h"
#include "registry/http.h"

namespace manyarch::controller {

class Controller {
 public:
  // Returns once it listens; from then on it serves on threads of its own. Registries are reached
  // through `transport`; null: by HTTP.
  static absl::StatusOr<std::unique_ptr<Controller>> Start(
      const Options& options, std::unique_ptr<registry::HttpTransport> transport = nullptr);
  // Stops.
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // The port it listens on.
  int port() const;
  // Ends sessions and streams with UNAVAILABLE, finishes what is in hand, closes the store. Workers
  // go on building. Takes a few seconds at most; may be called again.
  void Stop();

 private:
  struct Parts;
  explicit Controller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace manyarch::controller
