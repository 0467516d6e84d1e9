#include "cli/commands/secrets.h"

#include "common/base/build_values.h"
#include "common/os/files.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace manyarch::cli {
namespace {

using testing::HasSubstr;

const char* Env(const char* name) { return std::string(name) == "TOKEN" ? "from env" : nullptr; }

std::string Where(const std::string& text) {
  const auto source = ParseSecret(text, Env);
  if (!source.ok()) return std::string(source.status().message());
  return source->id + (source->env.empty() ? " file " + source->file : " env " + source->env);
}

TEST(ParseSecret, TakesWhatBuildxAndPodmanTake) {
  EXPECT_EQ(Where("id=a,src=b"), "a file b");
  EXPECT_EQ(Where("src=b=c,id=a"), "a file b=c");
  EXPECT_EQ(Where("id=a,source=b"), "a file b");
  EXPECT_EQ(Where("type=file,id=a,src=b"), "a file b");
  EXPECT_EQ(Where("id=a,env=B"), "a env B");
  EXPECT_EQ(Where("type=env,id=a,env=B"), "a env B");
  EXPECT_EQ(Where("type=env,id=a,src=B"), "a env B");
  EXPECT_EQ(Where("type=env,id=A"), "A env A");
  EXPECT_EQ(Where("id=TOKEN"), "TOKEN env TOKEN");
  EXPECT_EQ(Where("id=file"), "file file file");
  EXPECT_EQ(Where("type=file,id=TOKEN"), "TOKEN file TOKEN");
}

TEST(ParseSecret, RefusesInSentences) {
  EXPECT_THAT(Where(""), HasSubstr("is not understood"));
  EXPECT_THAT(Where("src=b"), HasSubstr("has no id"));
  EXPECT_THAT(Where("id=a/b,src=c"), HasSubstr("secret id 'a/b' is not valid"));
  EXPECT_THAT(Where("id=a,src=b,env=C"), HasSubstr("names a file and a variable"));
  EXPECT_THAT(Where("id=a,mode=0400"), HasSubstr("'mode=0400' is not understood"));
  EXPECT_THAT(Where("id=a,type=vault"), HasSubstr("'type=vault' is not understood"));
}

TEST(ReadSecrets, ReadsFilesAndTheEnvironment) {
  TempDir dir = *TempDir::Make();
  const std::string file = dir.path() + "/f";
  ASSERT_TRUE(WriteFileAtomic(file, std::string("a\0b", 3)).ok());
  const auto secrets = ReadSecrets({"id=one,src=" + file, "id=TOKEN"}, Env);
  ASSERT_TRUE(secrets.ok()) << secrets.status();
  EXPECT_EQ((*secrets)[0].value(), std::string("a\0b", 3));
  EXPECT_EQ((*secrets)[1].id(), "TOKEN");
  EXPECT_EQ((*secrets)[1].value(), "from env");
}

TEST(ReadSecrets, SaysWhatIsWrong) {
  TempDir dir = *TempDir::Make();
  const std::string file = dir.path() + "/f";
  ASSERT_TRUE(WriteFileAtomic(file, std::string(kLargestSecret + 1, 'x')).ok());
  const auto refusal = [](const std::vector<std::string>& flags) {
    return std::string(ReadSecrets(flags, Env).status().message());
  };
  EXPECT_THAT(refusal({"id=a,src=/nowhere"}), HasSubstr("reading /nowhere: No such file"));
  EXPECT_THAT(refusal({"id=a,src=/"}), HasSubstr("is a directory"));
  EXPECT_THAT(refusal({"id=a,src=" + file}), HasSubstr("has 524289 bytes"));
  EXPECT_THAT(refusal({"id=a,env=UNSET"}), HasSubstr("the environment has no UNSET"));
  EXPECT_THAT(refusal({"id=TOKEN", "id=TOKEN"}), HasSubstr("given twice"));
}

TEST(ReadJobAuthfile, TakesTheCredentialsOfAFileAndNothingElse) {
  TempDir dir = *TempDir::Make();
  const std::string file = dir.path() + "/auth.json";
  const auto read = [&](const std::string& text) {
    EXPECT_TRUE(WriteFileAtomic(file, text).ok());
    const auto got = ReadJobAuthfile(file);
    return got.ok() ? *got : std::string(got.status().message());
  };
  EXPECT_EQ(*ReadJobAuthfile(""), "");
  EXPECT_EQ(read(R"({"auths":{"https://r.io/v2/":{"auth":"bWU6cHc="}},"HttpHeaders":{"X":"y"}})"),
            R"({"auths":{"r.io":{"auth":"bWU6cHc="}}})");
  EXPECT_THAT(
      read(R"({"auths":{"r.io":{}},"credsStore":"vault","credHelpers":{"a.io":"ecr"}})"),
      AllOf(HasSubstr("names credential helpers (ecr, vault)"), HasSubstr("buildah login")));
  EXPECT_THAT(read(R"({"auths":{"r.io":{}}})"), HasSubstr("has no credentials in it"));
  EXPECT_THAT(read(R"({"auths":{"r.io":{"auth":"hunter2"}}})"),
              AllOf(HasSubstr("--authfile: reading '" + file), HasSubstr("r.io"),
                    Not(HasSubstr("hunter2"))));
  EXPECT_THAT(std::string(ReadJobAuthfile("/nowhere").status().message()),
              HasSubstr("--authfile: reading /nowhere: No such file"));
}

TEST(ReadSshKeys, WantPrivateKeysInFiles) {
  TempDir dir = *TempDir::Make();
  const std::string file = dir.path() + "/k";
  const std::string key =
      "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
  ASSERT_TRUE(WriteFileAtomic(file, key).ok());
  const auto keys = ReadSshKeys({"git=" + file});
  ASSERT_TRUE(keys.ok()) << keys.status();
  EXPECT_EQ((*keys)[0].id(), "git");
  EXPECT_EQ((*keys)[0].value(), key);
  const auto refusal = [](const std::string& flag) {
    return std::string(ReadSshKeys({flag}).status().message());
  };
  EXPECT_THAT(refusal("default"), HasSubstr("give the file of a private key, as default=FILE"));
  EXPECT_THAT(refusal("a=x,y"), HasSubstr("several keys"));
  EXPECT_THAT(refusal("a=/etc/hostname"), HasSubstr("is not a private key"));
  EXPECT_THAT(refusal("a,b=" + file), HasSubstr("ssh key id 'a,b'"));
}

}  // namespace
}  // namespace manyarch::cli
