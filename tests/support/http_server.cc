#include "tests/support/http_server.h"

#include <dirent.h>
#include <httplib.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <thread>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"

namespace manyarch::testing {

namespace {

constexpr size_t kThreads = 128;

int PortOf(int fd, int (*name)(int, sockaddr*, socklen_t*)) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  if (name(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return -1;
  return address.sin_family == AF_INET ? ntohs(address.sin_port) : -1;
}

// This process's sockets that were accepted at `port`; of these, the one whose client is at
// `client_port`, or all where it is 0. The library does not show them.
std::vector<int> Accepted(int port, int client_port) {
  std::vector<int> out;
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return out;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    if (fd <= 2 || PortOf(fd, getsockname) != port) continue;
    const int peer = PortOf(fd, getpeername);
    if (peer > 0 && (client_port == 0 || peer == client_port)) out.push_back(fd);
  }
  closedir(directory);
  return out;
}

void Reset(int fd) {
  sockaddr nowhere{};
  nowhere.sa_family = AF_UNSPEC;  // Linux sends a RST; the descriptor stays the library's to close.
  connect(fd, &nowhere, sizeof(nowhere));
}

std::string Head(const HttpAnswer& answer, size_t length) {
  std::string head = absl::StrCat("HTTP/1.1 ", answer.status, " X\r\nContent-Length: ", length,
                                  "\r\nContent-Type: ", answer.content_type, "\r\n");
  for (const auto& [name, value] : answer.headers) {
    absl::StrAppend(&head, name, ": ", value, "\r\n");
  }
  return head + "\r\n";
}

// What is sent by hand, past the library.
std::string Raw(const HttpRequest& request, const HttpAnswer& answer) {
  const size_t size = answer.body.size();
  const bool head = request.method == "HEAD";
  switch (answer.delivery) {
    case Delivery::kTruncated:
      if (head) return "HTTP/1.1 200 OK\r\nContent-Le";
      return Head(answer, size == 0 ? 100 : size) + answer.body.substr(0, size / 2);
    case Delivery::kWrongLength:
      if (head || size == 0) return Head(answer, 100);
      return Head(answer, size / 2) + answer.body;
    case Delivery::kNotHttp:
      return "\x16\x03\x01 this is not the protocol you are looking for\r\n\r\n";
    default:
      return "";
  }
}

}  // namespace

std::string HttpRequest::Header(const std::string& name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? "" : found->second;
}

std::string HttpRequest::Param(const std::string& name) const {
  const auto found = params.find(name);
  return found == params.end() ? "" : found->second;
}

struct HttpServer::Parts {
  void Answer(const httplib::Request& in, httplib::Response& out);

  Handler handler;
  httplib::Server server;
  int port = 0;
  std::thread thread;
};

void HttpServer::Parts::Answer(const httplib::Request& in, httplib::Response& out) {
  HttpRequest request;
  request.method = in.method;
  request.path = in.path;
  if (const size_t mark = in.target.find('?'); mark != std::string::npos) {
    request.query = in.target.substr(mark + 1);
  }
  request.params.insert(in.params.begin(), in.params.end());
  for (const auto& [name, value] : in.headers) {
    request.headers.emplace(absl::AsciiStrToLower(name), value);
  }
  request.body = in.body;
  const HttpAnswer answer = handler(request);
  absl::SleepFor(answer.delay);
  if (answer.delivery != Delivery::kWhole) {
    const std::string raw = Raw(request, answer);
    for (const int fd : Accepted(port, in.remote_port)) {
      send(fd, raw.data(), raw.size(), MSG_NOSIGNAL);
      if (answer.delivery == Delivery::kReset) {
        Reset(fd);
      } else {
        shutdown(fd, SHUT_RDWR);
      }
    }
    return;
  }
  // The library cuts out of every body what was asked for.
  if (!answer.in_parts) const_cast<httplib::Request&>(in).ranges.clear();
  out.status = answer.status == 200 && !in.ranges.empty() ? 206 : answer.status;
  for (const auto& [name, value] : answer.headers) out.set_header(name, value);
  // The length of what a GET would have brought; the library leaves the body of a HEAD out.
  out.set_content(answer.body, answer.content_type);
}

HttpServer::HttpServer(Handler handler) : parts_(std::make_unique<Parts>()) {
  Parts& parts = *parts_;
  parts.handler = std::move(handler);
  int listener = -1;
  parts.server.set_socket_options([&listener](int fd) {
    listener = fd;
    const int yes = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
  });
  parts.server.new_task_queue = [] { return new httplib::ThreadPool(kThreads); };
  parts.server.set_tcp_nodelay(true);
  parts.server.set_keep_alive_max_count(1 << 20);
  parts.server.set_keep_alive_timeout(60);
  const auto answer = [&parts](const httplib::Request& in, httplib::Response& out) {
    parts.Answer(in, out);
  };
  parts.server.Get(".*", answer);
  parts.server.Post(".*", answer);
  parts.server.Put(".*", answer);
  parts.server.Patch(".*", answer);
  parts.server.Delete(".*", answer);
  parts.port = parts.server.bind_to_any_port("127.0.0.1");
  listen(listener, 512);  // The library's own backlog of five costs a second whenever it is full.
  parts.thread = std::thread([&parts] { parts.server.listen_after_bind(); });
  while (!parts.server.is_running()) absl::SleepFor(absl::Milliseconds(1));
}

HttpServer::~HttpServer() {
  parts_->server.stop();
  // Threads wait for further requests otherwise.
  for (const int fd : Accepted(parts_->port, 0)) shutdown(fd, SHUT_RDWR);
  parts_->thread.join();
}

std::string HttpServer::host() const { return absl::StrCat("127.0.0.1:", parts_->port); }

}  // namespace manyarch::testing
