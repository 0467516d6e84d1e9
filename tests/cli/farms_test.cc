// Which controller a command asks.
#include "cli/farms.h"

#include <map>

#include "common/os/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/scratch.h"

namespace manyarch::cli {
namespace {

using ::testing::HasSubstr;

class FarmsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    env_["MANYARCH_CONFIG"] = scratch_.At("config.json");
    scratch_.File("config.json", R"({"current": "lab", "farms": {
      "lab": {"controller": "lab.example:7460"}, "prod": {"controller": "prod.example:7460"}}})");
  }
  std::string Chosen(const std::string& controller = "", const std::string& farm = "") {
    const auto chosen = ChooseController(controller, farm, getenv_);
    return chosen.ok() ? *chosen : std::string(chosen.status().message());
  }
  const Scratch scratch_;
  std::map<std::string, std::string> env_;
  const Getenv getenv_ = [this](const char* name) -> const char* {
    const auto found = env_.find(name);
    return found == env_.end() ? nullptr : found->second.c_str();
  };
};

TEST_F(FarmsTest, FlagsGoBeforeTheEnvironmentAndThatBeforeTheFile) {
  EXPECT_EQ(Chosen(), "lab.example:7460");
  env_["MANYARCH_FARM"] = "prod";
  EXPECT_EQ(Chosen(), "prod.example:7460");
  env_["MANYARCH_CONTROLLER"] = "env.example:1";
  EXPECT_EQ(Chosen(), "env.example:1");
  EXPECT_EQ(Chosen("", "lab"), "lab.example:7460");
  EXPECT_EQ(Chosen("flag.example:2"), "flag.example:2");
  EXPECT_THAT(Chosen("flag.example:2", "lab"), HasSubstr("give one"));
}

TEST_F(FarmsTest, WithoutAFileThereIsTheDefault) {
  env_["MANYARCH_CONFIG"] = scratch_.At("none/config.json");
  EXPECT_EQ(Chosen(), "127.0.0.1:7460");
  EXPECT_THAT(Chosen("", "lab"), HasSubstr("there is no farm 'lab'"));
  env_.erase("MANYARCH_CONFIG");
  env_["HOME"] = "/home/me";
  EXPECT_EQ(ConfigPath(getenv_), "/home/me/.config/manyarch/config.json");
  env_["XDG_CONFIG_HOME"] = "/x";
  EXPECT_EQ(ConfigPath(getenv_), "/x/manyarch/config.json");
}

TEST_F(FarmsTest, WhatIsWrongIsToldWithItsPlace) {
  EXPECT_THAT(Chosen("", "prd"), HasSubstr("did you mean 'prod'?"));
  EXPECT_THAT(Chosen("nonsense"), HasSubstr("'nonsense' is not HOST:PORT"));
  for (const char* text : {"[]", "{", R"({"farms": {"lab": {}}})", R"({"current": 1})",
                           R"({"farms": {"lab": {"controller": "x"}}})"}) {
    scratch_.File("config.json", text);
    EXPECT_THAT(Chosen(), HasSubstr("the config file " + scratch_.At("config.json"))) << text;
  }
  // A broken file is no reason not to work without it.
  EXPECT_EQ(Chosen("flag.example:2"), "flag.example:2");
}

TEST_F(FarmsTest, AreWrittenAsTheyAreRead) {
  Farms farms;
  farms.current = "a";
  farms.address = {{"a", "a.example:1"}, {"b", "[::1]:2"}};
  const std::string path = scratch_.At("new/dir/config.json");
  ASSERT_TRUE(WriteFarms(path, farms).ok());
  const auto read = ReadFarms(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->current, farms.current);
  EXPECT_EQ(read->address, farms.address);
}

}  // namespace
}  // namespace manyarch::cli
