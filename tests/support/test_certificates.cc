#include "tests/support/test_certificates.h"

#include <vector>

#include "common/base/status_macros.h"
#include "common/os/subprocess.h"

namespace manyarch::testing {

namespace {

absl::Status MakeOne(const std::string& dir, const std::string& name, bool signed_by_ca,
                     const std::string& extension) {
  Command command;
  command.argv = {"openssl",
                  "req",
                  "-x509",
                  "-newkey",
                  "ec",
                  "-pkeyopt",
                  "ec_paramgen_curve:prime256v1",
                  "-nodes",
                  "-days",
                  "2",
                  "-subj",
                  "/CN=manyarch test " + name,
                  "-keyout",
                  dir + "/" + name + ".key",
                  "-out",
                  dir + "/" + name + ".pem",
                  "-addext",
                  extension};
  if (signed_by_ca) {
    for (const std::string& arg :
         {std::string("-CA"), dir + "/ca.pem", std::string("-CAkey"), dir + "/ca.key",
          std::string("-addext"), std::string("basicConstraints=critical,CA:FALSE")}) {
      command.argv.push_back(arg);
    }
  }
  return RunChecked(command).status();
}

}  // namespace

absl::StatusOr<TestCertificates> TestCertificates::Make() {
  MA_ASSIGN_OR_RETURN(TempDir dir, TempDir::Make("manyarch-certificates-"));
  MA_RETURN_IF_ERROR(MakeOne(dir.path(), "ca", false, "keyUsage=critical,keyCertSign"));
  MA_RETURN_IF_ERROR(
      MakeOne(dir.path(), "server", true, "subjectAltName=IP:127.0.0.1,DNS:localhost"));
  MA_RETURN_IF_ERROR(MakeOne(dir.path(), "client", true, "extendedKeyUsage=clientAuth"));
  return TestCertificates(std::move(dir));
}

}  // namespace manyarch::testing
