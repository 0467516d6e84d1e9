#include "controller/secrets/sealer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "common/os/files.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

class SealerTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/secrets.key"; }
  TempDir dir_ = *TempDir::Make();
};

TEST_F(SealerTest, WhatIsSealedOpensForItsJobAndNameOnly) {
  const Sealer sealer = *Sealer::Open(path());
  for (const std::string value : {"", "hunter2", "with\nlines\0and more"}) {
    const std::string sealed = *sealer.Seal("j1", "secret/npm", value);
    EXPECT_EQ(*sealer.Unseal("j1", "secret/npm", sealed), value);
    EXPECT_FALSE(sealer.Unseal("j2", "secret/npm", sealed).ok());
    EXPECT_FALSE(sealer.Unseal("j1", "ssh/npm", sealed).ok());
  }
}

TEST_F(SealerTest, SealedBytesTellNothingNotEvenThatTwoValuesAreEqual) {
  const Sealer sealer = *Sealer::Open(path());
  const std::string one = *sealer.Seal("j1", "a", "the same long value");
  EXPECT_THAT(one, Not(HasSubstr("same")));
  EXPECT_NE(one, *sealer.Seal("j1", "a", "the same long value"));
}

TEST_F(SealerTest, TheKeyIsKeptForItsOwnerAlone) {
  const std::string sealed = *Sealer::Open(path())->Seal("j1", "a", "v");
  struct stat info = {};
  ASSERT_EQ(stat(path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600U);
  EXPECT_EQ(*Sealer::Open(path())->Unseal("j1", "a", sealed), "v");
  ASSERT_EQ(chmod(path().c_str(), 0644), 0);
  EXPECT_THAT(std::string(Sealer::Open(path()).status().message()), HasSubstr("chmod 600"));
}

TEST_F(SealerTest, AnotherKeyIsAnErrorThatSaysWhatToDo) {
  const std::string sealed = *Sealer::Open(path())->Seal("j1", "a", "v");
  ASSERT_TRUE(RemoveTree(path()).ok());
  const absl::Status status = Sealer::Open(path())->Unseal("j1", "a", sealed).status();
  EXPECT_TRUE(absl::IsFailedPrecondition(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("put the right key file back"));
  EXPECT_THAT(std::string(status.message()), HasSubstr(path()));
}

TEST_F(SealerTest, DamageIsNoticed) {
  const Sealer sealer = *Sealer::Open(path());
  const std::string sealed = *sealer.Seal("j1", "a", "value");
  for (size_t i = 0; i < sealed.size(); ++i) {
    std::string damaged = sealed;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    EXPECT_FALSE(sealer.Unseal("j1", "a", damaged).ok()) << i;
    EXPECT_FALSE(sealer.Unseal("j1", "a", sealed.substr(0, i)).ok()) << i;
  }
}

TEST_F(SealerTest, AKeyOfAnotherSizeIsNone) {
  ASSERT_TRUE(WriteFileAtomic(path(), "short", 0600).ok());
  EXPECT_THAT(std::string(Sealer::Open(path()).status().message()),
              HasSubstr("is not a key of 32 bytes"));
}

}  // namespace
}  // namespace manyarch::controller
