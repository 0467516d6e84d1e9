// Where a registry may lead us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "registry/authorizer.h"
#include "registry/curl_transport.h"
#include "tests/registry/scripted_transport.h"

namespace manyarch::registry {
namespace {

using ::testing::HasSubstr;

TEST(KindOf, KnowsWhatOnlySomeCanReach) {
  for (const char* address :
       {"127.0.0.1", "127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"}) {
    EXPECT_EQ(KindOf(address), AddressKind::kLoopback) << address;
  }
  for (const char* address :
       {"169.254.169.254", "fe80::1", "fe80::1%eth0", "::ffff:169.254.1.1", "64:ff9b::a9fe:a9fe"}) {
    EXPECT_EQ(KindOf(address), AddressKind::kLinkLocal) << address;
  }
  for (const char* address : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1",
                              "100.64.0.1", "fd00::1", "::ffff:10.1.2.3"}) {
    EXPECT_EQ(KindOf(address), AddressKind::kPrivate) << address;
  }
  for (const char* address : {"8.8.8.8", "172.32.0.1", "100.128.0.1", "2001:db8::1", "11.0.0.1"}) {
    EXPECT_EQ(KindOf(address), AddressKind::kPublic) << address;
  }
}

struct Rig {
  explicit Rig(Hosts hosts = {})
      : authorizer(std::move(hosts), std::make_shared<Keychain>(AuthFile(), &waiter), &transport,
                   &waiter) {}

  // The reach of the second request, where the first one was answered from `peer`.
  Reach After(const std::string& peer, Response first) {
    first.peer = peer;
    transport.Then(std::move(first));
    transport.Then({200, {}, R"({"token":"t"})"});
    transport.Then({200, {}, ""});
    Request request;
    request.url = "https://reg.example/v2/app/blobs/1";
    static_cast<void>(authorizer.Send(request, {"reg.example", "app", false}, nullptr).ok());
    EXPECT_TRUE(transport.requests[0].reach.loopback) << "the registry may be anywhere";
    return transport.requests.at(1).reach;
  }

  ScriptedTransport transport;
  FakeWaiter waiter;
  Authorizer authorizer;
};

Response Redirect() { return {307, {{"location", "https://cdn.example/x"}}, ""}; }
Response Demand() {
  return {401, {{"www-authenticate", R"(Bearer realm="https://auth.example/token")"}}, ""};
}

TEST(Reach, ARegistryLeadsToNothingMorePrivateThanItself) {
  struct Row {
    const char* peer;
    bool private_networks;
    bool loopback;
    bool link_local;
  };
  for (const Row& row : {Row{"93.184.216.34", false, false, false}, Row{"", false, false, false},
                         Row{"10.1.2.3", true, false, false}, Row{"127.0.0.1", true, true, false},
                         Row{"169.254.1.1", true, false, true}}) {
    for (const Response& first : {Redirect(), Demand()}) {
      const Reach reach = Rig().After(row.peer, first);
      EXPECT_EQ(reach.private_networks, row.private_networks) << row.peer;
      EXPECT_EQ(reach.loopback, row.loopback) << row.peer;
      EXPECT_EQ(reach.link_local, row.link_local) << row.peer;
    }
  }
}

TEST(Reach, AHostThatIsConfiguredMayBeAnywhere) {
  const auto hosts =
      Hosts::Parse(R"({"registries": {"auth.example": {"concurrency": 2}}})", "the file", "/");
  ASSERT_TRUE(hosts.ok());
  EXPECT_TRUE(Rig(*hosts).After("93.184.216.34", Demand()).loopback);
  EXPECT_FALSE(Rig(*hosts).After("93.184.216.34", Redirect()).loopback);
}

TEST(Reach, CurlConnectsToNothingThatIsOutOfReach) {
  CurlTransport transport("manyarch-test");
  for (const char* host : {"127.0.0.1", "localhost", "[::1]", "0.0.0.0", "2130706433"}) {
    Request request;
    request.url = absl::StrCat("http://", host, ":1/");
    request.reach.loopback = false;
    const auto response = transport.Send(request, nullptr);
    // Refused for what it is, not because nobody listens there.
    EXPECT_TRUE(absl::IsFailedPrecondition(response.status())) << host << response.status();
    EXPECT_THAT(std::string(response.status().message()), HasSubstr("loopback address")) << host;
  }
}

}  // namespace
}  // namespace manyarch::registry
