// A controller that listens and never says a word.
#pragma once

#include <arpa/inet.h>
#include <sys/socket.h>

#include <string>

#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "gtest/gtest.h"

namespace manyarch::cli {

class MuteListener {
 public:
  MuteListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    // The casts are the socket API's own way.
    EXPECT_EQ(bind(fd_.get(), reinterpret_cast<sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(fd_.get(), 5), 0);
    getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
  }

  std::string address() const { return absl::StrCat("127.0.0.1:", port_); }
  // Returns when somebody has connected.
  UniqueFd Accept() const { return UniqueFd(accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }

 private:
  const UniqueFd fd_;
  int port_ = 0;
};

}  // namespace manyarch::cli
