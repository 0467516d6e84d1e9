#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <cstring>
#include <string>

#include "cli/dev/farm.h"
#include "cli/dev/local_registry.h"
#include "cli/dev/place.h"
#include "common/os/subprocess.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using testing::HasSubstr;

// Listens on a port of 127.0.0.1 and never answers.
class DeafPort {
 public:
  DeafPort() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    sockaddr generic{};
    std::memcpy(&generic, &address, sizeof generic);
    EXPECT_EQ(bind(fd_.get(), &generic, sizeof generic), 0);
    EXPECT_EQ(listen(fd_.get(), 1), 0);
    socklen_t size = sizeof generic;
    EXPECT_EQ(getsockname(fd_.get(), &generic, &size), 0);
    std::memcpy(&address, &generic, sizeof address);
    port_ = ntohs(address.sin_port);
  }
  int port() const { return port_; }

 private:
  UniqueFd fd_;
  int port_ = 0;
};

Command Dev(const Scratch& scratch, std::vector<std::string> args) {
  Command command;
  command.argv = {MANYARCH_BINARY, "dev", "--state-dir", scratch.path()};
  command.argv.insert(command.argv.end(), args.begin(), args.end());
  return command;
}

TEST(Dev, ATakenPortIsToldBeforeAnythingIsStarted) {
  const Scratch scratch;
  const DeafPort deaf;
  EXPECT_FALSE(PortIsFree(deaf.port()));
  const std::string port = std::to_string(deaf.port());
  auto result = RunCommand(Dev(scratch, {"--registry-port", port}));
  EXPECT_EQ(result->exit.code, 3);
  EXPECT_THAT(result->err, HasSubstr("port " + port +
                                     " of 127.0.0.1, where the registry would "
                                     "listen, is taken by something that is not a registry"));
  result = RunCommand(Dev(scratch, {"--registry", "127.0.0.1:1", "--port", port}));
  EXPECT_EQ(result->exit.code, 3);
  EXPECT_THAT(result->err, HasSubstr("where the controller would listen, is taken"));
}

TEST(Dev, OneStateDirectoryServesOneFarm) {
  const Scratch scratch;
  ASSERT_TRUE(LockDirectory(scratch.path()).ok());
  const auto result = RunCommand(Dev(scratch, {}));
  EXPECT_EQ(result->exit.code, 3);
  EXPECT_THAT(result->err, HasSubstr("another `manyarch dev` uses " + scratch.path()));
}

TEST(DevFarm, APartThatDiesIsReportedWithTheEndOfItsLog) {
  const Scratch scratch;
  DevFarm farm(scratch.path());
  Command command;
  command.argv = {"/bin/sh", "-c", "echo all was well; echo then it was not >&2; exit 7"};
  ASSERT_TRUE(farm.Start("controller", command).ok());
  SignalWaiter signals;
  const absl::Status status = farm.Watch(signals);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status.message(), "the controller ended unexpectedly (exit code 7). The end of " +
                                  scratch.At("controller.log") +
                                  ":\n  | all was well\n  | then it was not\n");
}

TEST(DevFarm, StopsInTheOrderThatLosesNothing) {
  const Scratch scratch;
  DevFarm farm(scratch.path());
  const std::string order = scratch.At("order");
  for (const std::string name : {"registry", "controller", "worker"}) {
    Command command;
    command.argv = {"/bin/sh", "-c",
                    "trap 'echo " + name + " >> " + order +
                        "; exit 0' TERM; echo up; "
                        "while :; do sleep 0.02; done"};
    ASSERT_TRUE(farm.Start(name, command).ok());
  }
  SignalWaiter signals;
  // Only when all have set their traps.
  ASSERT_TRUE(farm.WaitUntil("all are up", absl::Seconds(60), signals,
                             [&] {
                               for (const Part& part : farm.parts()) {
                                 if (ReadFile(part.log).value_or("").empty()) return false;
                               }
                               return true;
                             })
                  .ok());
  farm.Stop(signals, /*finish_builds=*/true);
  EXPECT_EQ(*ReadFile(order), "worker\ncontroller\nregistry\n");
}

TEST(DevFarm, KeepsTheLogOfTheRunBefore) {
  const Scratch scratch;
  scratch.File("worker.log", "old");
  DevFarm farm(scratch.path());
  Command command;
  command.argv = {"/bin/true"};
  ASSERT_TRUE(farm.Start("worker", command).ok());
  EXPECT_EQ(*ReadFile(scratch.At("worker.log.old")), "old");
}

}  // namespace
}  // namespace manyarch::cli
