// Lets fakes on loopback ports answer for well-known registries.
#pragma once

#include <map>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "registry/curl_transport.h"

namespace manyarch::testing {

// What goes to "https://<name>" goes to "http://<host>" instead, and answers speak of the name.
// Thread-safe once all names are added.
class Reroute : public registry::HttpTransport {
 public:
  void Add(const std::string& name, const std::string& host) {
    to_.emplace("https://" + name, "http://" + host);
  }

  absl::StatusOr<registry::Response> Send(const registry::Request& request,
                                          const absl::Notification* stop) override {
    registry::Request moved = request;
    for (const auto& [name, host] : to_) {
      for (const std::string end : {"/", ":443/"}) {
        if (absl::StartsWith(request.url, name + end)) {
          moved.url = host + request.url.substr(name.size() + end.size() - 1);
        }
      }
    }
    auto response = curl_.Send(moved, stop);
    if (!response.ok()) return response;
    for (auto& [key, value] : response->headers) {
      for (const auto& [name, host] : to_) absl::StrReplaceAll({{host, name}}, &value);
    }
    return response;
  }

 private:
  registry::CurlTransport curl_{"manyarch-test"};
  std::map<std::string, std::string> to_;
};

}  // namespace manyarch::testing
