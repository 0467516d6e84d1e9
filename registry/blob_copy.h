#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/base/digest.h"
#include "registry/blob_pipe.h"
#include "registry/client.h"
#include "registry/manifest.h"
#include "registry/reference.h"
#include "registry/retry.h"

namespace manyarch::registry {

// One RegistryClient::CopyBlob: a download on a thread of its own, an upload on the caller's, and a
// pipe between them. Internal to the client. Made, run once and thrown away.
class BlobCopy {
 public:
  BlobCopy(RegistryClient* client, const Reference& from, const Descriptor& blob,
           const Reference& to, const BlobProgress& on_progress, const CallOptions& call);

  absl::Status Run();

 private:
  // What came of one step. UNAVAILABLE: worth another try. ABORTED: worth one with a new upload.
  absl::Status Open();
  absl::Status Transfer();
  absl::Status Commit();
  // Where to go on after a cut: asks the registry how much it has; begins anew where it does not
  // know.
  absl::Status Resume();

  // Reads the blob from offset_ on into the pipe. Runs on its own thread.
  absl::Status Download(BlobPipe& pipe);
  // What came is not the blob: everything begins anew, as it may have been spoilt on the way.
  absl::Status Spoilt(absl::string_view how);
  // Of all bytes, once they have come.
  absl::Status CheckDigest();
  absl::StatusOr<Response> SendPatch(BlobPipe& pipe);
  // Takes what the registry says about how much it has; true where it says so.
  bool TakeOffset(const Response& response);
  absl::Status FailureOf(const Response& response) const;
  void Arrived(int64_t bytes);

  RegistryClient& client_;
  const Reference& from_;
  const Descriptor& blob_;
  const Reference& to_;
  const BlobProgress& on_progress_;
  const CallOptions& call_;
  const std::string what_;
  const Scope read_scope_;
  const Scope write_scope_;

  std::optional<Retrier> retrier_;  // Anew whenever more has arrived than ever before.
  std::string url_;                 // Where the upload goes on.
  int64_t offset_ = 0;              // What the registry has.
  int64_t most_ = 0;                // What it ever had.
  bool done_ = false;
  int fresh_starts_ = 0;
  bool renewed_ = false;  // The token, after a 401.
  std::optional<absl::Duration> retry_after_;

  // Over all bytes that were downloaded, each once. The download's thread has it while it runs.
  std::optional<Sha256> hash_{std::in_place};
  int64_t hashed_ = 0;
  std::optional<Digest> digest_;  // Once all are.
};

}  // namespace manyarch::registry
