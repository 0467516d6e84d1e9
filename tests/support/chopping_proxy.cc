// A TCP proxy that resets both sides of a connection each time so many bytes, counted in both
// directions together, have passed through it.
//
//   chopping-proxy PORT_FILE HOST:PORT BYTES [PORT]
//
// Listens on PORT of 127.0.0.1, or a free one, which it writes to PORT_FILE, and prints a line per
// reset.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>
#include <thread>

namespace {

sockaddr_in Loopback(int port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

const sockaddr* Generic(const sockaddr_in& address) {
  return static_cast<const sockaddr*>(static_cast<const void*>(&address));
}

void Reset(int fd) {
  const linger now = {1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
  close(fd);
}

// Passes on what one read gives, `most` bytes at most; how many, or 0 at the end.
size_t Pass(int from, int to, size_t most) {
  char buffer[16384];
  const ssize_t got = read(from, buffer, std::min(most, sizeof(buffer)));
  if (got <= 0) return 0;
  for (ssize_t done = 0; done < got;) {
    const ssize_t n = send(to, buffer + done, static_cast<size_t>(got - done), MSG_NOSIGNAL);
    if (n <= 0) return 0;
    done += n;
  }
  return static_cast<size_t>(got);
}

void Serve(int client, int port, size_t bytes) {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(port);
  if (connect(server, Generic(address), sizeof(address)) == 0) {
    size_t left = bytes;
    while (left > 0) {
      pollfd both[2] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (poll(both, 2, -1) < 0) break;
      size_t passed = 0;
      if (both[0].revents != 0) {
        passed = Pass(client, server, left);
      } else {
        passed = Pass(server, client, left);
      }
      if (passed == 0) break;
      left -= passed;
    }
    if (left == 0) {
      // What has been passed on may be read: else a fast sender would never get anything across.
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      std::puts("reset");
    }
  }
  Reset(client);
  Reset(server);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4 && argc != 5) {
    std::fputs("usage: chopping-proxy PORT_FILE HOST:PORT BYTES [PORT]\n", stderr);
    return 2;
  }
  setvbuf(stdout, nullptr, _IOLBF, 0);
  const std::string target = argv[2];
  const int port = std::atoi(target.substr(target.rfind(':') + 1).c_str());
  const size_t bytes = std::strtoul(argv[3], nullptr, 10);
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int again = 1;  // After a kill, while its connections are still being forgotten.
  setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &again, sizeof(again));
  sockaddr_in address = Loopback(argc == 5 ? std::atoi(argv[4]) : 0);
  socklen_t size = sizeof(address);
  if (bind(listener, Generic(address), sizeof(address)) != 0 || listen(listener, 64) != 0 ||
      getsockname(listener, static_cast<sockaddr*>(static_cast<void*>(&address)), &size) != 0) {
    std::perror("chopping-proxy: listening");
    return 1;
  }
  std::ofstream(argv[1]) << ntohs(address.sin_port) << "\n";
  while (true) {
    const int client = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    std::thread(Serve, client, port, bytes).detach();
  }
}
