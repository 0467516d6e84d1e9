#include "registry/blob_pipe.h"

#include <algorithm>
#include <cstring>

namespace manyarch::registry {

absl::Status BlobPipe::Write(absl::string_view bytes) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &BlobPipe::MayWrite));
  if (reader_gone_) return absl::CancelledError("nobody reads any more");
  if (read_ == bytes_.size()) {
    bytes_.clear();
    read_ = 0;
  }
  bytes_.append(bytes.data(), bytes.size());
  return absl::OkStatus();
}

void BlobPipe::CloseWriter(absl::Status status) {
  absl::MutexLock lock(&mutex_);
  ended_ = true;
  status_ = std::move(status);
}

absl::Status BlobPipe::AwaitFirst() {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &BlobPipe::MayRead));
  return read_ < bytes_.size() ? absl::OkStatus() : status_;
}

absl::StatusOr<size_t> BlobPipe::Read(char* buffer, size_t size) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &BlobPipe::MayRead));
  if (read_ == bytes_.size()) {
    if (!status_.ok()) return status_;
    return size_t{0};
  }
  const size_t count = std::min(size, bytes_.size() - read_);
  std::memcpy(buffer, bytes_.data() + read_, count);
  read_ += count;
  // What was read is let go once it is the larger part, so that little is moved.
  if (read_ * 2 > bytes_.size()) {
    bytes_.erase(0, read_);
    read_ = 0;
  }
  return count;
}

void BlobPipe::CloseReader() {
  absl::MutexLock lock(&mutex_);
  reader_gone_ = true;
}

}  // namespace manyarch::registry
