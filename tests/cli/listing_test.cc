#include "cli/render/listing.h"

#include "cli/render/json.h"
#include "gtest/gtest.h"
#include "tests/cli/sample_job.h"

namespace manyarch::cli {
namespace {

constexpr char kWorkers[] = R"pb(
  workers {
    description {
      id: "w-1"
      name: "big"
      slots: 4
      version: "0.1.0"
      buildah_version: "1.28.2"
      isolation: "oci (runc)"
      platforms { platform { os: "linux" arch: "amd64" } }
      platforms { platform { os: "linux" arch: "386" } }
      platforms {
        platform { os: "linux" arch: "arm64" }
        emulated: true
      }
      refused {
        platform { os: "linux" arch: "s390x" }
        reason: "Exec format error"
      }
      labels { key: "zone" value: "b" }
      labels { key: "disk" value: "ssd" }
    }
    state: WORKER_STATE_CONNECTED
    admission: WORKER_ADMISSION_CORDONED
    admission_reason: "broke 3 attempts in a row"
    running: "j1-amd64-1"
    last_seen_at { seconds: 1700000000 }
  }
  workers {
    description { id: "w-2" name: "new" slots: 1 }
    state: WORKER_STATE_LOST
    admission: WORKER_ADMISSION_SCHEDULABLE
  }
)pb";

TEST(Listing, Jobs) {
  v1::ListJobsResponse jobs;
  *jobs.add_jobs() = FromText<v1::Job>(kRunningJob);
  EXPECT_EQ(JobsTable(jobs, At(200)),
            "ID  STATE    AGE     PLATFORMS                TAGS\n"
            "j1  running  3m ago  linux/amd64,linux/arm64  reg.example/app:1.0\n");
}

TEST(Listing, OneJobWithBuildsAttemptsAndFailures) {
  EXPECT_EQ(JobText(FromText<v1::Job>(kRunningJob), At(85)),
            "Job        j1\n"
            "State      running\n"
            "Submitted  1m ago\n"
            "Project    default\n"
            "Tag        reg.example/app:1.0 (not written)\n"
            "  linux/amd64: succeeded\n"
            "    image  reg.example/app@sha256:aa\n"
            "    attempt 1  j1-amd64-1  succeeded on big (native), 10s\n"
            "      queued 1.0s, fetching 10s\n"
            "  linux/arm64: running\n"
            "    attempt 1  j1-arm64-1  lost on small (emulated), 19s\n"
            "      queued 1.0s, fetching 19s\n"
            "      the worker went away\n"
            "    attempt 2  j1-arm64-2  building on big (emulated), 1m 00s\n"
            "      queued 5.0s, fetching 1m 00s\n");
}

TEST(Listing, AnAttemptThatAnotherWasSoonerThanIsSaidToBeStoppedForThat) {
  const std::string text = JobText(FromText<v1::Job>(R"(
    id: "j1" state: JOB_STATE_SUCCEEDED
    builds {
      platform { os: "linux" arch: "arm64" }
      state: BUILD_STATE_SUCCEEDED
      attempts {
        number: 1 id: "j1-arm64-1" worker_name: "small" state: ATTEMPT_STATE_CANCELLED
        offered_at { seconds: 1700000001 } finished_at { seconds: 1700000002 }
      }
      attempts {
        number: 2 id: "j1-arm64-2" worker_name: "small" state: ATTEMPT_STATE_CANCELLED emulated: true
        offered_at { seconds: 1700000003 } finished_at { seconds: 1700000050 }
      }
      attempts {
        number: 3 id: "j1-arm64-3" worker_name: "big" state: ATTEMPT_STATE_SUCCEEDED
        offered_at { seconds: 1700000020 } finished_at { seconds: 1700000050 }
      }
    })"),
                                   At(85));
  // The first one was over before.
  EXPECT_EQ(text.find("was there first"), text.rfind("was there first"));
  EXPECT_GT(text.find("      stopped: the image of attempt 3 was there first\n"),
            text.find("attempt 2"));
  EXPECT_LT(text.find("was there first"), text.find("attempt 3  "));
}

TEST(Listing, WhereTheContextCameFromIsShownInTextAndJson) {
  v1::Job job = FromText<v1::Job>(kRunningJob);
  job.mutable_spec()->set_source("git https://git.example.com/app.git 1a2b:sub");
  EXPECT_NE(
      JobText(job, At(85)).find("\nSource     git https://git.example.com/app.git 1a2b:sub\n"),
      std::string::npos);
  EXPECT_NE(ToJson(job).find(R"("source": "git https://git.example.com/app.git 1a2b:sub")"),
            std::string::npos);
}

TEST(Listing, APriorityIsShownWhereItIsNotTheUsualOne) {
  v1::Job job = FromText<v1::Job>(kRunningJob);
  job.mutable_spec()->set_priority(0);
  EXPECT_EQ(JobText(job, At(85)).find("Priority"), std::string::npos);
  job.mutable_spec()->set_priority(-5);
  EXPECT_NE(JobText(job, At(85)).find("\nPriority   -5\n"), std::string::npos);
  EXPECT_NE(ToJson(job).find(R"("priority": -5)"), std::string::npos);
}

TEST(Listing, ACancelledJobHasAReasonAndAFailedOneAFailure) {
  v1::Job job = FromText<v1::Job>(kFailedJob);
  EXPECT_NE(JobText(job, At(85)).find("\nFailure    linux/arm64 failed"), std::string::npos);
  job.set_state(v1::JOB_STATE_CANCELLED);
  job.mutable_failure()->set_message("interrupted");
  EXPECT_NE(JobText(job, At(85)).find("\nReason     interrupted\n"), std::string::npos);
  EXPECT_EQ(JobText(job, At(85)).find("Failure "), std::string::npos);
}

TEST(Listing, Workers) {
  EXPECT_EQ(WorkersTable(FromText<v1::ListWorkersResponse>(kWorkers)),
            "NAME  ID   STATE                NATIVE                 EMULATED     SLOTS  RUNNING  "
            "VERSION\n"
            "big   w-1  connected, cordoned  linux/amd64,linux/386  linux/arm64  4      1        "
            "0.1.0\n"
            "new   w-2  lost                 -                      -            1      0\n");
}

TEST(Listing, WhatAWorkerSaysOfItselfCannotDriveTheTerminal) {
  auto workers = FromText<v1::ListWorkersResponse>(kWorkers);
  v1::WorkerDescription& self = *workers.mutable_workers(0)->mutable_description();
  self.set_version("0.1\x1b[2J");
  self.set_buildah_version("1.28\n\x1b]0;title\x07");
  self.set_isolation("oci\xc2\x9b");
  (*self.mutable_labels())["zone"] = "\x1b[31mb";
  for (const std::string& text : {WorkersTable(workers), WorkerText(workers.workers(0), At(3))}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos) << text;
    EXPECT_EQ(text.find('\x07'), std::string::npos) << text;
  }
  EXPECT_NE(WorkersTable(workers).find("0.1\n"), std::string::npos);
  EXPECT_NE(WorkerText(workers.workers(0), At(3)).find("Isolation  oci\n"), std::string::npos);
}

TEST(Listing, OneWorkerWithWhatItRefuses) {
  v1::Worker worker = FromText<v1::ListWorkersResponse>(kWorkers).workers(0);
  EXPECT_EQ(WorkerText(worker, At(3)),
            "Worker     big\n"
            "ID         w-1\n"
            "State      connected, cordoned\n"
            "Because    broke 3 attempts in a row\n"
            "Native     linux/amd64,linux/386\n"
            "Emulated   linux/arm64\n"
            "Slots      4\n"
            "Running    j1-amd64-1\n"
            "Version    0.1.0\n"
            "buildah    1.28.2\n"
            "Isolation  oci (runc)\n"
            "Pushes     to a staging tag\n"
            "Labels     disk=ssd, zone=b\n"
            "Refuses    linux/s390x: Exec format error\n");
  EXPECT_EQ(WorkerText(worker, At(3)).find("Last seen"), std::string::npos);
  worker.set_state(v1::WORKER_STATE_SUSPECT);
  EXPECT_NE(WorkerText(worker, At(3)).find("\nLast seen  3s ago\n"), std::string::npos);
}

}  // namespace
}  // namespace manyarch::cli
