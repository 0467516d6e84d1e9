// A directory with files to test on.
#pragma once

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>

#include "common/os/files.h"
#include "gtest/gtest.h"

namespace manyarch::cli {

class Scratch {
 public:
  Scratch() : dir_(*TempDir::Make("cli-test-")) {
    // As the kernel names it.
    char* real = realpath(dir_.path().c_str(), nullptr);
    path_ = real;
    free(real);
  }
  const std::string& path() const { return path_; }
  std::string At(const std::string& name) const { return path_ + "/" + name; }
  void Dir(const std::string& name, mode_t mode = 0755) const {
    ASSERT_TRUE(MakeDirs(At(name)).ok());
    ASSERT_EQ(chmod(At(name).c_str(), mode), 0);
  }
  void File(const std::string& name, const std::string& text, mode_t mode = 0644) const {
    const size_t slash = name.rfind('/');
    if (slash != std::string::npos) {
      ASSERT_TRUE(MakeDirs(At(name.substr(0, slash))).ok());
    }
    std::ofstream(At(name), std::ios::binary) << text;
    ASSERT_EQ(chmod(At(name).c_str(), mode), 0);
  }
  void Link(const std::string& name, const std::string& target) const {
    ASSERT_EQ(symlink(target.c_str(), At(name).c_str()), 0);
  }

 private:
  TempDir dir_;
  std::string path_;
};

}  // namespace manyarch::cli
