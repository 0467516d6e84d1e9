// `manyarch doctor`, the program itself, with a scripted controller and a real registry.
#include "gmock/gmock.h"
#include "google/protobuf/text_format.h"
#include "nlohmann/json.hpp"
#include "tests/cli/fake_farm.h"
#include "tests/cli/image_rig.h"

namespace manyarch::cli {
namespace {

using nlohmann::json;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kWorkers[] = R"pb(
  workers {
    description {
      name: "big"
      slots: 4
      platforms { platform { os: "linux" arch: "amd64" } }
      platforms {
        platform { os: "linux" arch: "arm64" }
        emulated: true
      }
    }
    state: WORKER_STATE_CONNECTED
    admission: WORKER_ADMISSION_SCHEDULABLE
  }
  workers {
    description {
      name: "resting"
      slots: 1
      platforms { platform { os: "linux" arch: "arm64" } }
    }
    state: WORKER_STATE_CONNECTED
    admission: WORKER_ADMISSION_CORDONED
    admission_reason: "new disk"
  }
)pb";

class Doctor : public ImageRig {
 protected:
  void SetUp() override {
    ImageRig::SetUp();
    farm_.list_workers = [](v1::ListWorkersResponse* response) {
      google::protobuf::TextFormat::ParseFromString(kWorkers, response);
      return grpc::Status::OK;
    };
    farm_.Start();
  }
  RunResult Run(std::vector<std::string> args) {
    args.insert(args.begin(), "doctor");
    args.insert(args.end(), {"--controller", farm_.address()});
    return Manyarch(std::move(args));
  }
  FakeFarm farm_;
};

TEST_F(Doctor, ShowsTheControllerAndWhatItsWorkersOffer) {
  const RunResult result = Run({});
  EXPECT_EQ(result.exit.code, 0) << result.err;
  EXPECT_THAT(result.out, ContainsRegex("\nok +client +" + farm_.address() +
                                        " +controller +version fake, protocol 0, answers in"));
  EXPECT_THAT(result.out, ContainsRegex("\nok +controller +big +worker +connected, 4 slots: "
                                        "linux/amd64, linux/arm64 \\(emulated\\)\n"));
  EXPECT_THAT(result.out, ContainsRegex("\nwarning +controller +resting +worker +connected, "
                                        "cordoned \\(new disk\\), 1 slot: linux/arm64; "));
  // The one that would do arm64 natively takes nothing.
  EXPECT_THAT(result.out, ContainsRegex(" platforms +linux/amd64, linux/arm64 \\(emulated\\)\n"));
}

TEST_F(Doctor, WithoutAControllerOrAWorkerThereIsNoFarm) {
  const RunResult none = Manyarch({"doctor"});
  EXPECT_EQ(none.exit.code, 3);
  EXPECT_THAT(none.out, HasSubstr("cannot reach the controller at 127.0.0.1:1"));
  farm_.list_workers = [](v1::ListWorkersResponse*) { return grpc::Status::OK; };
  const RunResult empty = Run({"--format", "json"});
  EXPECT_EQ(empty.exit.code, 3);
  const json got = json::parse(empty.out);
  EXPECT_EQ(got["ok"], false);
  EXPECT_EQ(got["checks"][1]["what"], "platforms");
  EXPECT_EQ(got["checks"][1]["result"], "failed");
}

TEST_F(Doctor, ChecksATagFromHereWhereTheControllerCannotTell) {
  const RunResult result = Run({host() + "/demo/app:1"});
  EXPECT_EQ(result.exit.code, 0) << result.out;
  EXPECT_THAT(result.out, ContainsRegex("\nskipped +controller +.* too old"));
  for (const char* what : {"reference", "reachable", "credentials", "push", "list type"}) {
    EXPECT_THAT(result.out, ContainsRegex("\nok +client +" + host() + "/demo/app:1 +" + what));
  }
  EXPECT_THAT(result.out, HasSubstr("there is no auth file"));
}

TEST_F(Doctor, SaysWhichFileTheCredentialsAreFromAndNeverWhatTheyAre) {
  auto locked = testing::DockerRegistry::Start({.user = "me", .password = "pass-1234"});
  ASSERT_TRUE(locked.ok());
  const std::string tag = (*locked)->host() + "/demo/app:1";
  const RunResult anonymous = Run({tag});
  EXPECT_EQ(anonymous.exit.code, 1);
  EXPECT_THAT(anonymous.out, ContainsRegex("\nFAILED +client +[^ ]+ +credentials +.*401"));
  scratch_.File("auth.json", absl::StrCat(R"({"auths":{")", (*locked)->host(),
                                          R"(":{"auth":"bWU6cGFzcy0xMjM0"}}})"));
  const RunResult known = Run({tag, (*locked)->host(), "--authfile", scratch_.At("auth.json")});
  EXPECT_EQ(known.exit.code, 0) << known.out;
  EXPECT_THAT(known.out, HasSubstr("credentials from  " + scratch_.At("auth.json")));
  EXPECT_THAT(known.out, Not(HasSubstr("pass-1234")));
  EXPECT_THAT(known.out, Not(HasSubstr("bWU6cGFzcy0xMjM0")));
}

TEST_F(Doctor, AsksTheControllerAsAJobWithTheSameFileWould) {
  std::string asked_with;
  farm_.check_destinations = [&](const v1::CheckDestinationsRequest& request,
                                 v1::CheckDestinationsResponse* response) {
    asked_with = request.authfile();
    v1::DestinationCheck* check = response->add_checks();
    check->set_what("push");
    check->set_result(v1::DestinationCheck::RESULT_OK);
    return grpc::Status::OK;
  };
  const std::string tag = host() + "/demo/app:1";
  EXPECT_EQ(Run({tag}).exit.code, 0);
  EXPECT_EQ(asked_with, "") << "what this user is logged in with stays here";
  scratch_.File("auth.json", R"({"auths":{"r.io":{"auth":"bWU6cHc="}}})");
  EXPECT_EQ(Run({tag, "--authfile", scratch_.At("auth.json")}).exit.code, 0);
  EXPECT_EQ(asked_with, R"({"auths":{"r.io":{"auth":"bWU6cHc="}}})");
  // Good enough for `manyarch image`, and for nothing else.
  scratch_.File("helper.json", R"({"credHelpers":{"r.io":"vault"}})");
  const RunResult helper = Run({tag, "--authfile", scratch_.At("helper.json")});
  EXPECT_EQ(helper.exit.code, 0) << helper.out;
  EXPECT_EQ(asked_with, "");
  EXPECT_THAT(helper.out, ContainsRegex("\nwarning +client +.*names credential helpers .vault"));
}

TEST_F(Doctor, TheControllersWordCountsForBuilds) {
  auto locked = testing::DockerRegistry::Start({.user = "me", .password = "x"});
  ASSERT_TRUE(locked.ok());
  v1::CheckDestinationsRequest asked;
  farm_.check_destinations = [&](const v1::CheckDestinationsRequest& request,
                                 v1::CheckDestinationsResponse* response) {
    asked = request;
    v1::DestinationCheck* check = response->add_checks();
    check->set_reference(request.references(0));
    check->set_what("push");
    check->set_result(v1::DestinationCheck::RESULT_OK);
    check->set_message("an upload could be opened");
    return grpc::Status::OK;
  };
  // What this user may not do himself is no reason for a build to fail.
  const std::string tag = (*locked)->host() + "/demo/app:1";
  const RunResult result = Run({tag, "--image-format", "oci"});
  EXPECT_EQ(asked.references(0), tag);
  EXPECT_EQ(asked.format(), v1::IMAGE_FORMAT_OCI);
  EXPECT_EQ(result.exit.code, 0) << result.out;
  EXPECT_THAT(result.out, ContainsRegex("\nwarning +client +.*matters for `manyarch image` only"));

  farm_.check_destinations = [](const v1::CheckDestinationsRequest&,
                                v1::CheckDestinationsResponse* response) {
    v1::DestinationCheck* check = response->add_checks();
    check->set_what("push");
    check->set_result(v1::DestinationCheck::RESULT_FAILED);
    check->set_message("403 DENIED");
    return grpc::Status::OK;
  };
  EXPECT_EQ(Run({host() + "/demo/app:1"}).exit.code, 1);
}

TEST_F(Doctor, ARegistryThatIsNotThereIsOutOfReach) {
  const RunResult result = Run({"127.0.0.1:1/x/y:1", "--plain-http", "127.0.0.1:1"});
  EXPECT_EQ(result.exit.code, 3) << result.out;
  EXPECT_THAT(result.out, ContainsRegex("\nFAILED +client +127.0.0.1:1/x/y:1 +reachable"));
  EXPECT_THAT(result.out, ContainsRegex("\nskipped +client +127.0.0.1:1/x/y:1 +push"));
}

}  // namespace
}  // namespace manyarch::cli
