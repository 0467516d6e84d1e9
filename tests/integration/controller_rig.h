// A controller in this process, with its real store, server and publisher, a real registry, and
// workers that "build" by naming an image that is there already.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "common/os/files.h"
#include "controller/controller.h"
#include "gtest/gtest.h"
#include "manyarch/v1/content.grpc.pb.h"
#include "manyarch/v1/farm.grpc.pb.h"
#include "registry/curl_transport.h"
#include "tests/support/docker_registry.h"
#include "tests/support/stream_worker.h"
#include "tests/support/test_image.h"

namespace manyarch::controller {

class ControllerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    StartRegistry();
    StartController();
    UploadEmptyContext();
  }

  // Sets host_, and in options_ what the controller must know to use it.
  virtual void StartRegistry() {
    auto registry = testing::DockerRegistry::Start();
    ASSERT_TRUE(registry.ok()) << registry.status();
    registry_ = *std::move(registry);
    host_ = registry_->host();
    options_.plain_http = {host_};
  }

  void StartController() {
    Options options = options_;
    options.listen = "127.0.0.1:0";
    options.state_dir = dir_.path() + "/state";
    auto controller = Controller::Start(options);
    ASSERT_TRUE(controller.ok()) << controller.status();
    controller_ = *std::move(controller);
    address_ = absl::StrCat("127.0.0.1:", controller_->port());
    channel_ = grpc::CreateChannel(address_, grpc::InsecureChannelCredentials());
    farm_ = v1::Farm::NewStub(channel_);
  }

  void UploadEmptyContext() {
    const std::string bytes = v1::Directory().SerializeAsString();
    root_ = Digest::Of(bytes).ToString();
    const auto stub = v1::Content::NewStub(channel_);
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto writer = stub->Upload(&context, &response);
    v1::UploadRequest piece;
    piece.set_digest(root_);
    piece.set_size(static_cast<int64_t>(bytes.size()));
    piece.set_data(bytes);
    piece.set_last(true);
    writer->Write(piece);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // Pushes the one image that every build of this repository ends with.
  void PushImage(const std::string& repository) {
    testing::RawRegistry raw(&transport_, registry_->host());
    const absl::Status pushed = raw.Push(repository, image_);
    ASSERT_TRUE(pushed.ok()) << pushed;
  }

  v1::SubmitRequest RequestFor(const std::string& repository, const std::string& tag,
                               const std::string& key) const {
    v1::SubmitRequest request;
    request.set_idempotency_key(key);
    v1::JobSpec& spec = *request.mutable_spec();
    spec.add_tags(absl::StrCat(host_, "/", repository, ":", tag));
    v1::Platform& platform = *spec.add_platforms()->mutable_platform();
    platform.set_os("linux");
    platform.set_arch("amd64");
    spec.set_context_root(root_);
    spec.set_arch_tag_template("off");
    request.set_request_hash(Digest::Of(spec.SerializeAsString()).ToString());
    return request;
  }

  grpc::Status Submit(const v1::SubmitRequest& request, v1::SubmitResponse* response) const {
    grpc::ClientContext context;
    return farm_->Submit(&context, request, response);
  }

  v1::Job Get(const std::string& id) const {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job_id(id);
    v1::GetJobResponse response;
    const grpc::Status status = farm_->GetJob(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.job();
  }

  // Follows the job until it is terminal.
  v1::Job AwaitEnd(const std::string& id) const {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job_id(id);
    const auto reader = farm_->WatchJob(&context, request);
    v1::WatchJobResponse last;
    v1::WatchJobResponse next;
    while (reader->Read(&next)) last = next;
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return last.job();
  }

  // Accepts what it is offered and says at once that the image is there.
  testing::StreamWorker::OnMessage Builder() const {
    return [digest = image_.digest().ToString()](testing::StreamWorker& self,
                                                 const v1::ControllerMessage& message) {
      if (!message.has_offer()) return;
      self.AnswerOffer(message.offer().attempt_id(), true);
      v1::Finished finished;
      finished.set_attempt_id(message.offer().attempt_id());
      finished.mutable_image()->set_repository(message.offer().repository());
      finished.mutable_image()->set_digest(digest);
      self.Finish(finished);
    };
  }

  TempDir dir_ = *TempDir::Make();
  registry::CurlTransport transport_{"manyarch-test"};
  const testing::TestImage image_ =
      testing::MakeTestImage(R"("os":"linux","architecture":"amd64")");
  std::unique_ptr<testing::DockerRegistry> registry_;
  std::string host_;
  Options options_;
  std::unique_ptr<Controller> controller_;
  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Farm::Stub> farm_;
  std::string root_;
};

}  // namespace manyarch::controller
