#include "cli/client.h"

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_farm.h"

namespace manyarch::cli {
namespace {

TEST(Client, AnUnreachableControllerIsToldInASentence) {
  FakeFarm farm;
  farm.Start();
  farm.Stop();  // Its port is now surely free.
  Client client(farm.address());
  const absl::Status status = client.GetJob("j1").status();
  EXPECT_EQ(status.message(),
            absl::StrCat("cannot reach the controller at ", farm.address(),
                         ": connection refused. Start one with `manyarch dev`, or set "
                         "MANYARCH_CONTROLLER."));
  EXPECT_TRUE(IsUnreachable(status));
  EXPECT_TRUE(IsWorthRepeating(status));
}

TEST(Client, WhatTheControllerSaysIsPassedOnAsItIs) {
  FakeFarm farm;
  farm.submit = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "cannot reach the registry r:5000");
  };
  farm.Start();
  Client client(farm.address());
  const absl::Status status = client.Submit({}).status();
  EXPECT_EQ(status, absl::UnavailableError("cannot reach the registry r:5000"));
  EXPECT_FALSE(IsUnreachable(status));
}

TEST(Client, AnUploadStopsAtTheFirstErrorOfItsSource) {
  FakeFarm farm;
  farm.Start();
  Client client(farm.address());
  const auto result = client.Upload(absl::Minutes(1), [](auto&) -> absl::StatusOr<bool> {
    return absl::FailedPreconditionError("'x' was changed");
  });
  EXPECT_EQ(result.status().message(), "'x' was changed");
}

}  // namespace
}  // namespace manyarch::cli
