// Named contexts are looked at, and kept, as the main one is.
#include <sys/stat.h>

#include <filesystem>

#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "tests/integration/controller_rig.h"

namespace manyarch::controller {
namespace {

using ::testing::HasSubstr;
namespace fs = std::filesystem;

class ContextsKeptTest : public ControllerTest {
 protected:
  Digest Upload(const std::string& bytes) const {
    const Digest digest = Digest::Of(bytes);
    grpc::ClientContext context;
    v1::UploadResponse response;
    const auto writer = v1::Content::NewStub(channel_)->Upload(&context, &response);
    v1::UploadRequest piece;
    piece.set_digest(digest.ToString());
    piece.set_size(static_cast<int64_t>(bytes.size()));
    piece.set_data(bytes);
    piece.set_last(true);
    writer->Write(piece);
    writer->WritesDone();
    const grpc::Status status = writer->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    return digest;
  }
  // A directory with one file; the file is sent as well if `whole`.
  Digest Tree(const std::string& text, bool whole = true) const {
    v1::Directory directory;
    directory.set_mode(0755);
    v1::FileEntry& file = *directory.add_files();
    file.set_name("file");
    file.set_mode(0644);
    file.set_size(static_cast<int64_t>(text.size()));
    file.add_chunks((whole ? Upload(text) : Digest::Of(text)).ToString());
    return Upload(directory.SerializeAsString());
  }
  v1::SubmitRequest WithNamed(const Digest& named, const std::string& key) const {
    v1::SubmitRequest request = RequestFor("app", key, key);
    v1::NamedContext& context = *request.mutable_spec()->mutable_options()->add_contexts();
    context.set_name("lib");
    context.set_root(named.ToString());
    return request;
  }
  std::string PathOf(const Digest& digest) const {
    return absl::StrCat(dir_.path(), "/state/content/sha256/", digest.hex().substr(0, 2), "/",
                        digest.hex());
  }
  // As if nobody had touched any blob for a day; then the controller has room for none of them.
  void RestartUnderPressure() {
    controller_.reset();
    const auto day = fs::file_time_type::clock::now() - std::chrono::hours(24);
    for (const auto& entry : fs::recursive_directory_iterator(dir_.path() + "/state/content")) {
      if (entry.is_regular_file()) fs::last_write_time(entry.path(), day);
    }
    options_.content_limit = {1.0, 1};
    StartController();
  }
  static bool Gone(const std::string& path) {
    for (const absl::Time end = absl::Now() + absl::Seconds(30); absl::Now() < end;) {
      if (!fs::exists(path)) return true;
      absl::SleepFor(absl::Milliseconds(5));
    }
    return false;
  }
};

TEST_F(ContextsKeptTest, ANamedContextThatIsNotAllThereIsRefusedByName) {
  v1::SubmitResponse response;
  grpc::Status status = Submit(WithNamed(Digest::Of("absent"), "a-root-that-is-absent"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("the context named 'lib'"));
  EXPECT_THAT(status.error_message(), HasSubstr("incomplete"));

  status = Submit(WithNamed(Tree("never sent", false), "a-file-that-is-absent"), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(status.error_message(), HasSubstr("the context named 'lib'"));
  EXPECT_THAT(status.error_message(), HasSubstr(Digest::Of("never sent").ToString()));
}

TEST_F(ContextsKeptTest, WhatANamedContextOfALiveJobNeedsIsKeptUnderPressureAndGoesWithTheJob) {
  const Digest named = Tree("of the library");
  const Digest file = Digest::Of("of the library");
  const Digest other = Upload("of no job");
  v1::SubmitResponse submitted;
  ASSERT_TRUE(Submit(WithNamed(named, "one-that-waits"), &submitted).ok());

  RestartUnderPressure();
  ASSERT_TRUE(Gone(PathOf(other)));
  EXPECT_TRUE(fs::exists(PathOf(named)));
  EXPECT_TRUE(fs::exists(PathOf(file)));
  // Whole, not only there: another job may name it.
  v1::SubmitResponse again;
  const grpc::Status status = Submit(WithNamed(named, "another-of-the-same"), &again);
  EXPECT_TRUE(status.ok()) << status.error_message();

  for (const std::string& id : {submitted.job().id(), again.job().id()}) {
    grpc::ClientContext context;
    v1::CancelJobRequest cancel;
    cancel.set_job_id(id);
    v1::CancelJobResponse cancelled;
    ASSERT_TRUE(farm_->CancelJob(&context, cancel, &cancelled).ok());
  }
  RestartUnderPressure();
  EXPECT_TRUE(Gone(PathOf(named)));
  EXPECT_TRUE(Gone(PathOf(file)));
}

}  // namespace
}  // namespace manyarch::controller
