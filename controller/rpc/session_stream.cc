#include "controller/rpc/session_stream.h"

#include "controller/rpc/status.h"

namespace manyarch::controller::rpc {

SessionStream::SessionStream(uint64_t id, v1::WorkerSession::AsyncService* service,
                             grpc::ServerCompletionQueue* queue, StreamEvents* events)
    : id_(id), service_(service), queue_(queue), events_(events) {}

void SessionStream::Request() {
  service_->RequestSession(&context_, &stream_, queue_, queue_, &request_op_);
}

void SessionStream::StartRead() {
  incoming_.Clear();
  stream_.Read(&incoming_, &read_op_);
}

void SessionStream::Send(v1::ControllerMessage message) {
  absl::MutexLock lock(&mutex_);
  Add(std::move(message));
  Pump();
}

void SessionStream::Queue(v1::ControllerMessage message) {
  absl::MutexLock lock(&mutex_);
  Add(std::move(message));
}

void SessionStream::Flush() {
  absl::MutexLock lock(&mutex_);
  Pump();
}

void SessionStream::Add(v1::ControllerMessage message) {
  if (!open_ || close_reason_) return;
  if (outbox_.size() >= kMostQueued) {
    // It does not read: its lease would end anyway, and memory must not pay for it.
    outbox_.clear();
    close_reason_ = absl::ResourceExhaustedError("the worker does not read what it is sent");
  } else {
    outbox_.push_back(std::move(message));
  }
}

void SessionStream::Close(const absl::Status& reason) {
  absl::MutexLock lock(&mutex_);
  if (!open_ || close_reason_) return;
  close_reason_ = reason;
  // A peer that does not read would hold the end up; what matters is told again after a reconnect.
  if (outbox_.size() > kMostSentBeforeTheEnd) outbox_.clear();
  Pump();
}

// Starts the next write, or the end, when nothing is in flight.
void SessionStream::Pump() {
  if (!open_ || writing_ || finishing_) return;
  if (!outbox_.empty()) {
    writing_ = true;
    grpc::WriteOptions options;
    // One packet for them all; but the first goes with the initial metadata, whose sending would
    // wait for a packet for ever.
    if (begun_ && outbox_.size() > 1) options.set_buffer_hint();
    begun_ = true;
    stream_.Write(outbox_.front(), options, &write_op_);
  } else if (close_reason_) {
    finishing_ = true;
    stream_.Finish(ToGrpc(*close_reason_), &finish_op_);
  }
}

bool SessionStream::Idle() const { return !reading_ && !writing_ && finished_; }

void SessionStream::OnOperation(Operation::Kind kind, bool ok) {
  bool closed = false;
  bool message = false;
  switch (kind) {
    case Operation::Kind::kRequest: {
      if (!ok) {  // The server is shutting down: no worker ever came.
        events_->OnReleased(id_);
        return;
      }
      {
        absl::MutexLock lock(&mutex_);
        open_ = true;
        reading_ = true;
      }
      events_->OnOpened(id_);
      StartRead();
      return;
    }
    case Operation::Kind::kRead: {
      absl::MutexLock lock(&mutex_);
      if (ok) {
        message = true;
      } else {
        reading_ = false;
        closed = true;
        outbox_.clear();
        if (!close_reason_) close_reason_ = absl::OkStatus();
        // The front of the outbox may still be on its way: Pump waits for that write.
        Pump();
      }
      break;
    }
    case Operation::Kind::kWrite: {
      absl::MutexLock lock(&mutex_);
      writing_ = false;
      if (!ok) {
        outbox_.clear();
        if (!close_reason_) close_reason_ = absl::UnavailableError("the stream broke");
      } else if (!outbox_.empty()) {
        outbox_.pop_front();
      }
      Pump();
      break;
    }
    case Operation::Kind::kFinish: {
      absl::MutexLock lock(&mutex_);
      finished_ = true;
      break;
    }
  }
  if (message) {
    events_->OnMessage(id_, incoming_);
    StartRead();
    return;
  }
  if (closed) events_->OnClosed(id_);
  bool idle = false;
  {
    absl::MutexLock lock(&mutex_);
    idle = Idle();
  }
  if (idle) events_->OnReleased(id_);
}

}  // namespace manyarch::controller::rpc
