// Blobs of contexts, from the controller.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "common/base/digest.h"
#include "common/os/stop_token.h"
#include "manyarch/v1/content.grpc.pb.h"

namespace manyarch::worker::link {

// Downloads over one channel of its own. A controller that restarts meanwhile is waited for: the
// download goes on where it broke off. Thread-safe.
class ContentClient {
 public:
  using Sink = std::function<absl::Status(const Digest& digest, std::string bytes)>;

  struct Limits {
    absl::Duration stalled = absl::Seconds(60);   // Without a byte: the call is made again.
    absl::Duration patience = absl::Minutes(10);  // Without a whole blob: the fetch fails.
    int64_t blob_bytes = int64_t{256} << 20;
  };

  explicit ContentClient(const std::string& target) : ContentClient(target, Limits()) {}
  ContentClient(const std::string& target, Limits limits);

  // Calls `sink` once for each digest, in order, on this thread; a failure of `sink` ends the
  // fetch. NOT_FOUND names a blob that the controller lacks; CANCELLED: `stop` was given.
  absl::Status Fetch(absl::Span<const Digest> digests, const StopToken& stop, const Sink& sink);

 private:
  class Assembly;
  // How a call ended: what we made of what came, and what the controller said.
  struct Outcome {
    absl::Status ours;
    grpc::Status theirs;
  };

  Outcome Download(absl::Span<const Digest> digests, const StopToken& stop, Assembly& assembly);

  const Limits limits_;
  const std::string target_;
  const std::unique_ptr<v1::Content::Stub> stub_;
};

}  // namespace manyarch::worker::link
