// A certificate authority made for a test, with certificates for 127.0.0.1 and for a client.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "common/os/files.h"

namespace manyarch::testing {

// PEM files in a directory that goes with the object. Movable.
class TestCertificates {
 public:
  // With the openssl program.
  static absl::StatusOr<TestCertificates> Make();

  std::string ca() const { return dir_.path() + "/ca.pem"; }
  std::string server_cert() const { return dir_.path() + "/server.pem"; }
  std::string server_key() const { return dir_.path() + "/server.key"; }
  std::string client_cert() const { return dir_.path() + "/client.pem"; }
  std::string client_key() const { return dir_.path() + "/client.key"; }

 private:
  explicit TestCertificates(TempDir dir) : dir_(std::move(dir)) {}
  TempDir dir_;
};

}  // namespace manyarch::testing
