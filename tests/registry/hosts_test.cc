#include "registry/hosts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "common/os/files.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

absl::StatusOr<Hosts> Parse(const std::string& registries) {
  return Hosts::Parse(absl::StrCat(R"({"registries": )", registries, "}"), "the registries file r",
                      "/nowhere");
}

TEST(Hosts, PlainHttpIsForAHostOnEveryPortOrOnOne) {
  const Hosts hosts = Hosts::PlainHttp({"localhost", "127.0.0.1:5000", "[::1]", "reg.example:80"});
  for (const char* yes :
       {"localhost:5000", "LOCALHOST", "127.0.0.1:5000", "[::1]:5000", "reg.example"}) {
    EXPECT_TRUE(hosts.AllowsPlainHttp(yes)) << yes;
  }
  for (const char* no : {"127.0.0.1", "127.0.0.1:5001", "localhost.example"}) {
    EXPECT_FALSE(hosts.AllowsPlainHttp(no)) << no;
  }
  EXPECT_EQ(hosts.BaseUrl("127.0.0.1:5000"), "http://127.0.0.1:5000");
  EXPECT_EQ(hosts.BaseUrl("docker.io"), "https://registry-1.docker.io");
}

TEST(Hosts, ReadsWhatAFileSaysOfEachRegistry) {
  const auto hosts = Parse(R"({
      "docker.io": {"mirrors": [{"location": "mirror.example:5000/hub", "plain_http": true},
                                {"location": "second.example"}],
                    "requests_per_second": 2.5},
      "reg.example:5000": {"plain_http": true, "concurrency": 3}})");
  ASSERT_TRUE(hosts.ok()) << hosts.status();
  const HostSettings* const hub = hosts->Find("docker.io");
  ASSERT_NE(hub, nullptr);
  ASSERT_EQ(hub->mirrors.size(), 2u);
  EXPECT_EQ(hub->mirrors[0].location, "mirror.example:5000/hub");
  EXPECT_TRUE(hub->mirrors[0].plain_http);
  EXPECT_FALSE(hub->mirrors[1].plain_http);
  EXPECT_EQ(hub->requests_per_second, 2.5);
  EXPECT_EQ(hosts->Find("registry-1.docker.io:443"), hub) << "as its URLs name it";
  EXPECT_EQ(hosts->Find("reg.example:5000")->concurrency, 3);
  EXPECT_EQ(hosts->Find("reg.example"), nullptr);
}

TEST(Hosts, SaysWhichHostAndKeyIsWrong) {
  struct Row {
    std::string text;
    std::vector<std::string> says;
  };
  for (const Row& row : std::vector<Row>{
           {R"({"reg.example": {"plainhttp": true}})",
            {"the registries file r, registry \"reg.example\"", "no setting \"plainhttp\"",
             "\"plain_http\""}},
           {R"({"reg.example": {"plain_http": "yes"}})", {"\"plain_http\" must be true or false"}},
           {R"({"reg.example": {"ca": "x.pem"}})", {"\"ca\"", "/nowhere/x.pem"}},
           {R"({"reg.example": {"ca": 7}})", {"\"ca\" must be the path of a PEM file"}},
           {R"({"reg.example": {"concurrency": 0}})", {"\"concurrency\" must be a whole number"}},
           {R"({"reg.example": {"concurrency": 1.5}})", {"must be a whole number from 1"}},
           {R"({"reg.example": {"requests_per_second": "5"}})", {"must be a number from"}},
           {R"({"reg.example": {"mirrors": [{"url": "x"}]}})", {"no setting \"url\""}},
           {R"({"reg.example": {"mirrors": [{"location": "https://x"}]}})", {"'https://x'"}},
           {R"({"https://reg.example": {}})", {"want a host name as in a tag"}},
           {R"({"reg.example/team": {}})", {"want a host name as in a tag"}},
           {R"({"docker.io": {}, "index.docker.io": {}})", {"twice"}},
           {R"({"reg.example": {}, "reg.example": {}})", {"twice"}},
           {R"({"reg.example": {"client_cert": "/dev/null"}})", {"\"client_cert\""}},
           {"[]", {"\"registries\" is not an object"}}}) {
    const auto hosts = Parse(row.text);
    ASSERT_FALSE(hosts.ok()) << row.text;
    for (const std::string& part : row.says) {
      EXPECT_THAT(std::string(hosts.status().message()), HasSubstr(part)) << row.text;
    }
  }
  EXPECT_THAT(std::string(Hosts::Parse(R"({"hosts": {}})", "f", "/").status().message()),
              HasSubstr("there is no \"hosts\""));
  EXPECT_THAT(std::string(Hosts::Read("/nowhere/r.json").status().message()),
              HasSubstr("/nowhere/r.json"));
}

TEST(Hosts, RefusesAFileThatHoldsNoCertificate) {
  auto dir = TempDir::Make();
  ASSERT_TRUE(dir.ok());
  ASSERT_TRUE(
      WriteFileAtomic(dir->path() + "/ca.pem", "-----BEGIN CERTIFICATE-----\nnonsense\n").ok());
  ASSERT_TRUE(WriteFileAtomic(dir->path() + "/r.json",
                              R"({"registries": {"reg.example": {"ca": "ca.pem"}}})")
                  .ok());
  const auto hosts = Hosts::Read(dir->path() + "/r.json");
  ASSERT_FALSE(hosts.ok());
  EXPECT_THAT(std::string(hosts.status().message()),
              HasSubstr("registry \"reg.example\": \"ca\" holds"));
}

TEST(Hosts, KnowsWhatSomeRegistriesBear) {
  EXPECT_EQ(DefaultRate("123456789012.dkr.ecr.eu-west-1.amazonaws.com"), 10);
  EXPECT_EQ(DefaultRate("quay.io:443"), 20);
  EXPECT_EQ(DefaultRate("reg.example"), 0);
}

}  // namespace
}  // namespace manyarch::registry
