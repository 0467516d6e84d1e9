#include "cli/follow.h"

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "cli/log_follower.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/cli/fake_farm.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

// Remembers all it is shown.
class Seen : public Progress {
 public:
  void OnJob(const v1::Job& job) override {
    absl::MutexLock lock(&mutex);
    states.push_back(job.state());
  }
  void OnLogLine(const LogSource& source, absl::string_view line) override {
    absl::MutexLock lock(&mutex);
    lines[source.attempt_id].emplace_back(line);
  }
  void OnNotice(absl::string_view text) override {
    absl::MutexLock lock(&mutex);
    notices.emplace_back(text);
  }
  absl::Mutex mutex;
  std::vector<v1::JobState> states;
  std::map<std::string, std::vector<std::string>> lines;
  std::vector<std::string> notices;
};

void Write(FakeFarm::Watch* writer, const v1::Job& job) {
  v1::WatchJobResponse response;
  *response.mutable_job() = job;
  writer->Write(response);
}

void Write(FakeFarm::Log* writer, int64_t offset, const std::string& data) {
  v1::ReadLogResponse response;
  response.set_offset(offset);
  response.set_data(data);
  writer->Write(response);
}

TEST(FollowJob, ShowsAJobToItsEndWithTheLogsOfItsAttempts) {
  FakeFarm farm;
  farm.watch = [](const auto&, auto* writer) {
    Write(writer, FromText<v1::Job>(kRunningJob));
    Write(writer, FromText<v1::Job>(kFailedJob));
    return grpc::Status::OK;
  };
  farm.read_log = [](const v1::ReadLogRequest& request, auto* writer, auto*) {
    EXPECT_TRUE(request.follow());
    Write(writer, 0, "first of " + request.attempt_id() + "\r\nse");
    Write(writer, 0, "");
    Write(writer, request.attempt_id().size() + 13, "cond\nno newline at the end");
    return grpc::Status::OK;
  };
  farm.Start();
  Client client(farm.address());
  Seen seen;
  const auto job =
      FollowJob(client, seen, FromText<v1::Job>("id: 'j1' state: JOB_STATE_QUEUED"), {});
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::JOB_STATE_FAILED);
  EXPECT_THAT(seen.states,
              ElementsAre(v1::JOB_STATE_QUEUED, v1::JOB_STATE_RUNNING, v1::JOB_STATE_FAILED));
  EXPECT_EQ(seen.lines.size(), 3u);
  EXPECT_THAT(seen.lines["j1-arm64-2"],
              ElementsAre("first of j1-arm64-2", "second", "no newline at the end"));
  EXPECT_THAT(seen.notices, ElementsAre());
}

// The controller goes away in mid-build and comes back on the same port.
TEST(FollowJob, ComesBackAfterAnOutageAndShowsNothingTwice) {
  const std::string log = "one\ntwo\nthree\nfour\n";
  FakeFarm farm;
  absl::Notification half_read;
  std::atomic<bool> back{false};
  farm.watch = [&](const v1::WatchJobRequest& request, auto* writer) {
    if (!back) {
      Write(writer, FromText<v1::Job>(kRunningJob));
      half_read.WaitForNotification();
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller stops");
    }
    // What was shown before the crash need not be known any more.
    EXPECT_EQ(request.after_revision(), 0);
    Write(writer, FromText<v1::Job>(kFailedJob));
    return grpc::Status::OK;
  };
  farm.read_log = [&](const v1::ReadLogRequest& request, auto* writer,
                      grpc::ServerContext* context) {
    if (request.attempt_id() != "j1-arm64-2") return grpc::Status::OK;
    if (!back) {
      Write(writer, 0, log.substr(0, 6));
      half_read.Notify();
      while (!context->IsCancelled()) absl::SleepFor(absl::Milliseconds(1));
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller stops");
    }
    EXPECT_EQ(request.offset(), 6);
    // A controller may start a little earlier than asked.
    Write(writer, 3, log.substr(3));
    return grpc::Status::OK;
  };
  farm.Start();
  Client client(farm.address());
  Seen seen;
  std::thread outage([&] {
    half_read.WaitForNotification();
    // Both streams are seen to break before there is somebody to come back to.
    farm.Stop();
    while (true) {
      absl::SleepFor(absl::Milliseconds(5));
      absl::MutexLock lock(&seen.mutex);
      if (!seen.notices.empty()) break;
    }
    back = true;
    farm.Start();
  });
  const auto job = FollowJob(client, seen, FromText<v1::Job>("id: 'j1' revision: 4"), {});
  outage.join();
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_THAT(seen.lines["j1-arm64-2"], ElementsAre("one", "two", "three", "four"));
  EXPECT_THAT(seen.notices, ElementsAre(HasSubstr("lost the connection to the controller"),
                                        "connected to the controller again"));
}

TEST(FollowJob, GivesUpAfterItsPatienceAndSaysThatTheJobGoesOn) {
  FakeFarm farm;
  farm.Start();
  farm.Stop();
  Client client(farm.address());
  Seen seen;
  FollowOptions options;
  options.patience = absl::Milliseconds(100);
  const auto job = FollowJob(client, seen, FromText<v1::Job>("id: 'j1'"), options);
  EXPECT_EQ(job.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(job.status().message()),
              HasSubstr("the job goes on: `manyarch show j1`"));
}

TEST(FollowJob, AnAnswerThatWillNotChangeEndsIt) {
  FakeFarm farm;
  farm.watch = [](const auto&, auto*) {
    return grpc::Status(grpc::StatusCode::NOT_FOUND, "there is no job j1");
  };
  farm.Start();
  Client client(farm.address());
  Seen seen;
  EXPECT_EQ(FollowJob(client, seen, FromText<v1::Job>("id: 'j1'"), {}).status(),
            absl::NotFoundError("there is no job j1"));
}

TEST(ReadLogOverOutages, TellsOfAGapAndGoesOn) {
  FakeFarm farm;
  farm.read_log = [](const auto&, auto* writer, auto*) {
    Write(writer, 0, "ab");
    Write(writer, 10, "cd");
    return grpc::Status::OK;
  };
  farm.Start();
  Client client(farm.address());
  const StopToken stop;
  Cancellation cancellation;
  std::string bytes;
  std::vector<std::string> notices;
  EXPECT_TRUE(ReadLogOverOutages(
                  client, "a-1", {}, false, stop, cancellation,
                  [&](absl::string_view data) { bytes.append(data.data(), data.size()); },
                  [&](absl::string_view text) { notices.emplace_back(text); })
                  .ok());
  EXPECT_EQ(bytes, "abcd");
  EXPECT_THAT(notices, ElementsAre("a-1: 8 bytes of the log are missing here"));
}

// Cut off before the first byte: it goes on where the controller had said that it begins.
TEST(ReadLogOverOutages, AStartBeforeTheEndIsLookedUpOnce) {
  FakeFarm farm;
  std::atomic<int> calls{0};
  farm.read_log = [&](const v1::ReadLogRequest& request, auto* writer, auto*) {
    if (++calls == 1) {
      EXPECT_EQ(request.tail_lines(), 2);
      EXPECT_EQ(request.since().seconds(), 1'700'000'000);
      Write(writer, 40, "");
      return grpc::Status(grpc::StatusCode::UNAVAILABLE, "the controller stops");
    }
    EXPECT_FALSE(request.has_tail_lines());
    EXPECT_FALSE(request.has_since());
    EXPECT_EQ(request.offset(), 40);
    Write(writer, 40, "last\n");
    return grpc::Status::OK;
  };
  farm.Start();
  Client client(farm.address());
  const StopToken stop;
  Cancellation cancellation;
  std::string bytes;
  LogStart start;
  start.tail_lines = 2;
  start.since = At(0);
  EXPECT_TRUE(ReadLogOverOutages(
                  client, "a-1", start, true, stop, cancellation,
                  [&](absl::string_view data) { bytes.append(data.data(), data.size()); },
                  [&](absl::string_view text) { ADD_FAILURE() << text; })
                  .ok());
  EXPECT_EQ(bytes, "last\n");
}

}  // namespace
}  // namespace manyarch::cli
