#include "registry/image_details.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace manyarch::registry {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;

TEST(ImageDetails, HaveWhatTheConfigSays) {
  const auto got = ParseImageDetails(R"({"os":"linux","architecture":"arm","variant":"v6",
    "created":"2024-01-02T03:04:05Z","author":"me","config":{"User":"app","WorkingDir":"/srv",
    "Entrypoint":["/bin/app","-x"],"Cmd":["serve"],"Env":["A=1","B="],"StopSignal":"SIGINT",
    "ExposedPorts":{"9/udp":{},"8080/tcp":{}},"Volumes":{"/data":{}},"Labels":{"b":"2","a":"1"}}})");
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_EQ(got->spelled, "linux/arm/v6");
  EXPECT_EQ(got->created, "2024-01-02T03:04:05Z");
  EXPECT_EQ(got->user, "app");
  EXPECT_THAT(got->entrypoint, ElementsAre("/bin/app", "-x"));
  EXPECT_THAT(got->cmd, ElementsAre("serve"));
  EXPECT_THAT(got->env, ElementsAre("A=1", "B="));
  EXPECT_THAT(got->exposed_ports, ElementsAre("8080/tcp", "9/udp"));
  EXPECT_THAT(got->volumes, ElementsAre("/data"));
  EXPECT_THAT(got->labels, ElementsAre(Pair("a", "1"), Pair("b", "2")));
  EXPECT_EQ(got->stop_signal, "SIGINT");
}

TEST(ImageDetails, AreEmptyWhereTheConfigIsOddButHavePlatforms) {
  const auto odd = ParseImageDetails(
      R"({"os":"linux","architecture":"amd64","created":7,"config":{"Cmd":"sh","Labels":[1],
          "Env":[1,"A=1"],"Volumes":null}})");
  ASSERT_TRUE(odd.ok()) << odd.status();
  EXPECT_EQ(odd->created, "");
  EXPECT_THAT(odd->cmd, IsEmpty());
  EXPECT_THAT(odd->env, ElementsAre("A=1"));
  EXPECT_THAT(odd->labels, IsEmpty());
  EXPECT_FALSE(ParseImageDetails(R"({"os":"linux"})").ok());
}

}  // namespace
}  // namespace manyarch::registry
