// A small HTTP server on 127.0.0.1 for the fakes, which can also answer as broken networks do.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace manyarch::testing {

struct HttpRequest {
  std::string method;
  std::string path;  // Decoded; without the query.
  std::string query;
  std::multimap<std::string, std::string> params;   // Of the query, or of a form.
  std::multimap<std::string, std::string> headers;  // Names in lower case.
  std::string body;

  // The first one; empty where there is none.
  std::string Header(const std::string& name) const;
  std::string Param(const std::string& name) const;
  bool HasParam(const std::string& name) const { return params.count(name) > 0; }
};

// How an answer reaches the client.
enum class Delivery {
  kWhole,
  kReset,        // The connection is reset before a byte of it.
  kTruncated,    // The head and half of the body, then the end.
  kWrongLength,  // Its Content-Length is half of what it has.
  kNotHttp,      // Bytes that are no HTTP.
};

struct HttpAnswer {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::string content_type = "application/json; charset=utf-8";
  Delivery delivery = Delivery::kWhole;
  absl::Duration delay = absl::ZeroDuration();  // Before any of it leaves.
  bool in_parts = false;                        // A Range is heeded.
};

// Serves from the constructor to the destructor, every connection on a thread of its own. The
// handler is called from all of them at once.
class HttpServer {
 public:
  using Handler = std::function<HttpAnswer(const HttpRequest&)>;

  explicit HttpServer(Handler handler);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // "127.0.0.1:PORT"
  std::string host() const;

 private:
  struct Parts;
  std::unique_ptr<Parts> parts_;
};

}  // namespace manyarch::testing
