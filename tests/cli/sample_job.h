// Jobs and workers for tests, written as protobuf text.
#pragma once

#include <string>

#include "absl/time/time.h"
#include "google/protobuf/text_format.h"
#include "gtest/gtest.h"

namespace manyarch::cli {

template <typename Message>
Message FromText(const std::string& text) {
  Message message;
  EXPECT_TRUE(google::protobuf::TextFormat::ParseFromString(text, &message)) << text;
  return message;
}

// What times in sample messages count from.
inline constexpr int64_t kStart = 1'700'000'000;
inline absl::Time At(int64_t seconds) { return absl::FromUnixSeconds(kStart + seconds); }

// amd64 done natively; arm64 building, emulated, in its second attempt.
inline constexpr char kRunningJob[] = R"(
  id: "j1" state: JOB_STATE_RUNNING
  spec { project: "default" tags: "reg.example/app:1.0"
         platforms { platform { os: "linux" arch: "amd64" } }
         platforms { platform { os: "linux" arch: "arm64" } } }
  tags { reference: "reg.example/app:1.0" }
  submitted_at { seconds: 1700000000 }
  builds {
    platform { os: "linux" arch: "amd64" } state: BUILD_STATE_SUCCEEDED
    image { repository: "reg.example/app" digest: "sha256:aa" size: 7 }
    attempts { id: "j1-amd64-1" number: 1 worker_name: "big" state: ATTEMPT_STATE_SUCCEEDED
               accepted_at { seconds: 1700000001 } finished_at { seconds: 1700000011 } }
  }
  builds {
    platform { os: "linux" arch: "arm64" } state: BUILD_STATE_RUNNING
    attempts { id: "j1-arm64-1" number: 1 worker_name: "small" emulated: true
               state: ATTEMPT_STATE_LOST failure { class: FAILURE_CLASS_LOST
               message: "the worker went away" }
               accepted_at { seconds: 1700000001 } finished_at { seconds: 1700000020 } }
    attempts { id: "j1-arm64-2" number: 2 worker_name: "big" emulated: true
               state: ATTEMPT_STATE_BUILDING accepted_at { seconds: 1700000025 } }
  }
)";

// The same, after arm64's Containerfile has failed.
inline constexpr char kFailedJob[] = R"(
  id: "j1" state: JOB_STATE_FAILED
  spec { project: "default" tags: "reg.example/app:1.0" }
  tags { reference: "reg.example/app:1.0" note: "the job failed" }
  submitted_at { seconds: 1700000000 } finished_at { seconds: 1700000090 }
  failure { class: FAILURE_CLASS_USER message: "linux/arm64 failed: no list was published" }
  builds {
    platform { os: "linux" arch: "amd64" } state: BUILD_STATE_SUCCEEDED
    image { repository: "reg.example/app" digest: "sha256:aa" size: 7 }
  }
  builds {
    platform { os: "linux" arch: "arm64" } state: BUILD_STATE_FAILED
    failure { class: FAILURE_CLASS_USER message: "the step exited with code 2" exit_code: 2
              step: "STEP 3/4: RUN make" last_lines: "cc -o x" last_lines: "x.c:1: \033[31merror\033[0m" }
    attempts { id: "j1-arm64-1" number: 1 worker_name: "small" emulated: true
               state: ATTEMPT_STATE_FAILED
               failure { class: FAILURE_CLASS_USER message: "the step exited with code 2" } }
  }
)";

inline constexpr char kSucceededJob[] = R"(
  id: "j1" state: JOB_STATE_SUCCEEDED
  intent { list: "12345" digest: "sha256:11" media_type: "list" }
  tags { reference: "reg.example/app:1.0" written: true }
  tags { reference: "reg.example/app:old" note: "a later job has written it" }
  builds { platform { os: "linux" arch: "amd64" } state: BUILD_STATE_SUCCEEDED
           image { repository: "reg.example/app" digest: "sha256:aa" size: 7 } }
  builds { platform { os: "linux" arch: "arm" variant: "v7" } state: BUILD_STATE_SUCCEEDED
           image { repository: "reg.example/app" digest: "sha256:bb" size: 8 }
           warnings: "the config says v8" }
)";

}  // namespace manyarch::cli
