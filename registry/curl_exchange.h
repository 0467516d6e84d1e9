// One exchange over a libcurl handle: the callbacks, and what its errors mean. Internal to
// CurlTransport.
#pragma once

#include <curl/curl.h>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include "registry/http.h"
#include "registry/url.h"

namespace manyarch::registry {

// Lives as long as the exchange, on one thread. All that is given must outlive it.
class CurlExchange {
 public:
  CurlExchange(CURL* easy, const Request& request, const Url& url, const absl::Notification* stop);
  ~CurlExchange();
  CurlExchange(const CurlExchange&) = delete;
  CurlExchange& operator=(const CurlExchange&) = delete;

  // Sends, and returns what came.
  absl::StatusOr<Response> Run(const std::string& user_agent);

 private:
  absl::Status SetHeaders();
  void SetBody();
  void SetTls();
  void SetTimes();
  absl::Status Explain(CURLcode code) const;
  absl::Status ExplainTls(CURLcode code, absl::string_view words) const;
  bool streams() const { return request_.source != nullptr || request_.sink != nullptr; }
  // Whether an address that curl wants to talk to is out of reach; notes it.
  bool Refuses(absl::string_view address, int port);
  void Moved() { last_moved_ = absl::Now(); }

  static size_t OnBody(char* data, size_t size, size_t count, void* self);
  static size_t OnHeader(char* data, size_t size, size_t count, void* self);
  static size_t OnRead(char* data, size_t size, size_t count, void* self);
  static int OnProgress(void* self, curl_off_t down_total, curl_off_t down, curl_off_t up_total,
                        curl_off_t up);
  static curl_socket_t OnSocket(void* self, curlsocktype purpose, curl_sockaddr* address);
  static int OnConnected(void* self, char* ip, char* local_ip, int port, int local_port);

  CURL* const easy_;
  const Request& request_;
  const Url& url_;
  const absl::Notification* const stop_;
  Response response_;
  curl_slist* headers_ = nullptr;
  char detail_[CURL_ERROR_SIZE] = "";
  size_t header_bytes_ = 0;
  size_t body_bytes_ = 0;
  std::string too_large_;  // What is, and how large it may be; empty: nothing.
  bool stalled_ = false;
  absl::Status callback_error_;  // What the source or the sink said.
  std::string refused_address_;
  curl_off_t moved_bytes_ = 0;
  absl::Time last_moved_ = absl::Now();
};

}  // namespace manyarch::registry
