// The SQLite store: what was committed is there after a restart, and nothing else.
#include "controller/store/store.h"

#include <sys/resource.h>

#include <csignal>
#include <functional>
#include <list>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/strings/str_cat.h"
#include "common/os/files.h"
#include "controller/wire/convert.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/controller_core/farm_rig.h"

namespace manyarch::controller {
namespace {

using core::FarmRig;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

class StoreTest : public ::testing::Test {
 protected:
  std::string path() const { return dir_.path() + "/farm.db"; }

  std::unique_ptr<Store> Open() {
    auto store = OpenSqliteStore(path());
    EXPECT_TRUE(store.ok()) << store.status();
    return *std::move(store);
  }

  static absl::Status CommitAll(Store& store, const core::Farm& farm) {
    Batch batch;
    std::list<v1::StoredJob> stored;
    for (const auto& [id, job] : farm.jobs()) {
      batch.jobs.push_back({&job, &stored.emplace_back(wire::ToStored(job))});
    }
    for (const auto& [id, worker] : farm.workers()) batch.workers.push_back(&worker);
    if (const core::TagOwner* owner = farm.FindTag("reg/app:v1")) {
      batch.tags.emplace_back("reg/app:v1", *owner);
    }
    return store.Commit(batch);
  }

  TempDir dir_ = *TempDir::Make();
};

// Files may not grow any more, as on a full disk, for as long as this lives.
class NoRoom {
 public:
  NoRoom() {
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    rlimit none = before_;
    none.rlim_cur = 1;
    setrlimit(RLIMIT_FSIZE, &none);
  }
  ~NoRoom() { setrlimit(RLIMIT_FSIZE, &before_); }
  NoRoom(const NoRoom&) = delete;
  NoRoom& operator=(const NoRoom&) = delete;

 private:
  rlimit before_ = {};
};

TEST_F(StoreTest, ACommitThatFailsLeavesNothingAndDoesNotFailTheNextOne) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"}, 4);
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  const auto store = Open();
  ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  {
    const NoRoom full;
    EXPECT_FALSE(CommitAll(*store, rig.farm()).ok());
    EXPECT_EQ(store->Load()->jobs.size(), 1U);
  }
  const absl::Status next = CommitAll(*store, rig.farm());
  EXPECT_TRUE(next.ok()) << next;
  EXPECT_EQ(store->Load()->jobs.size(), 2U);
}

TEST_F(StoreTest, EstimatesSurviveARestartAndForgottenOnesAreGone) {
  const absl::Time now = absl::FromUnixSeconds(1'000'000);
  const core::BuildKind kept{"reg/app", "", FarmRig::P("linux/arm64")};
  const core::BuildKind gone{"reg/old", "", FarmRig::P("linux/amd64")};
  core::Estimates estimates;
  estimates.Succeeded(kept, "w", true, absl::Minutes(3), now);
  estimates.Succeeded(kept, "w", true, absl::Minutes(2), now);
  estimates.Succeeded(kept, "w", false, absl::Seconds(30), now);
  estimates.EmulatorCrashed(kept, now);
  estimates.Succeeded(gone, "w", false, absl::Seconds(1), now);
  {
    const auto store = Open();
    ASSERT_TRUE(
        store->Commit({{}, {}, {}, {{kept, estimates.Find(kept)}, {gone, estimates.Find(gone)}}})
            .ok());
    ASSERT_TRUE(store->Commit({{}, {}, {}, {{gone, nullptr}}}).ok());
  }
  const absl::StatusOr<core::FarmState> state = Open()->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->estimates.size(), 1U);
  const auto& [kind, history] = state->estimates.front();
  EXPECT_EQ(kind, kept);
  EXPECT_EQ(history.emulated.cold.mean, 180);
  EXPECT_EQ(history.emulated.warm.mean, 120);
  EXPECT_EQ(history.native.warm.mean, 30);
  EXPECT_EQ(history.emulator_crashes, 1);
  ASSERT_EQ(history.warm_workers.size(), 1U);
  EXPECT_EQ(history.warm_workers.front().worker, "w");
  EXPECT_EQ(history.warm_workers.front().at, now);
  EXPECT_EQ(history.updated_at, now);
}

TEST_F(StoreTest, EveryStateOfAJobSurvivesARestart) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 4);
  auto spec = FarmRig::Spec({"linux/amd64", "linux/arm64", "linux/s390x"});
  spec->platforms[2].optional = true;
  spec->priority = 3;
  spec->source = "git https://git.example.com/app.git 1a2b";
  spec->binary_check = core::BinaryCheck::kStrict;
  spec->emulation = core::Emulation::kAllow;
  spec->build_timeout = absl::Minutes(7);
  spec->tags.push_back({"mirror:5000/app", "v1"});
  spec->format = core::ImageFormat::kOci;
  spec->immutable = true;
  rig.Submit("j1", spec);
  rig.Build(1, "j1-amd64-1");
  rig.Accept(1, "j1-arm64-1");
  rig.Fail(1, "j1-arm64-1", core::FailureClass::kInfrastructure);
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  rig.Build(1, "j2-amd64-1");  // It publishes now.
  rig.Submit("j3", FarmRig::Spec({"linux/amd64"}, "v2"));
  rig.Accept(1, "j3-amd64-1");
  rig.Do(core::AttemptFinished{
      1, {"j3-amd64-1", core::Image{"reg/app", "sha256:x", 0, ""}, 0, {"odd"}}});
  ASSERT_TRUE(CommitAll(*Open(), rig.farm()).ok());

  const absl::StatusOr<core::FarmState> state = Open()->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->jobs.size(), 3U);
  const core::Job& j1 = state->jobs[0];
  EXPECT_EQ(j1.id, "j1");
  EXPECT_EQ(j1.idempotency_key, "key-j1");
  EXPECT_EQ(j1.spec->priority, 3);
  EXPECT_EQ(j1.spec->source, "git https://git.example.com/app.git 1a2b");
  EXPECT_EQ(j1.spec->binary_check, core::BinaryCheck::kStrict);
  EXPECT_EQ(j1.spec->emulation, core::Emulation::kAllow);
  EXPECT_EQ(j1.spec->build_timeout, absl::Minutes(7));
  EXPECT_TRUE(j1.spec->arch_tag_template.empty());
  EXPECT_EQ(j1.spec->format, core::ImageFormat::kOci);
  EXPECT_TRUE(j1.spec->immutable);
  ASSERT_EQ(j1.spec->tags.size(), 2U);
  EXPECT_EQ(j1.spec->tags[1].ToString(), "mirror:5000/app:v1");
  EXPECT_EQ(j1.tags[1].ref.ToString(), "mirror:5000/app:v1");
  EXPECT_TRUE(j1.builds[2].optional);
  const auto* won = std::get_if<core::BuildSucceeded>(&j1.builds[0].state);
  ASSERT_NE(won, nullptr);
  EXPECT_EQ(won->winner, "j1-amd64-1");
  EXPECT_EQ(won->image.size, 500);
  ASSERT_EQ(j1.builds[1].attempts.size(), 1U);
  const auto* failed = std::get_if<core::AttemptFailed>(&j1.builds[1].attempts[0].state);
  ASSERT_NE(failed, nullptr);
  EXPECT_EQ(failed->failure.cls, core::FailureClass::kInfrastructure);
  EXPECT_EQ(failed->failure.message, "it broke");
  const auto* publishing = std::get_if<core::JobPublishing>(&state->jobs[1].state);
  ASSERT_NE(publishing, nullptr);
  EXPECT_EQ(publishing->intent.list, "linux/amd64=sha256:j2-amd64-1");
  EXPECT_EQ(state->tags.at("reg/app:v1").job_id, "j2");
  EXPECT_EQ(state->last_generation, 3);
  const auto* verifying =
      std::get_if<core::AttemptVerifying>(&state->jobs[2].builds[0].attempts[0].state);
  ASSERT_NE(verifying, nullptr);
  EXPECT_THAT(verifying->warnings, ElementsAre("odd"));
  ASSERT_EQ(state->workers.size(), 1U);
}

TEST_F(StoreTest, WhenAWorkerWasLostIsKept) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64"});
  const absl::Time joined = rig.wall();
  rig.Do(core::WorkerGone{1});
  rig.Pass(absl::Minutes(2));
  ASSERT_TRUE(CommitAll(*Open(), rig.farm()).ok());
  const auto store = Open();
  const absl::StatusOr<core::FarmState> state = store->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->workers.size(), 1U);
  EXPECT_EQ(state->workers[0].known_since, joined);
  EXPECT_EQ(state->workers[0].lost_at, rig.farm().FindWorker("w")->lost_at);
  EXPECT_EQ(state->workers[0].lost_at.size(), 1U);
}

TEST_F(StoreTest, SealedSecretsLiveAsLongAsTheirJob) {
  FarmRig rig;
  auto spec = FarmRig::Spec({"linux/amd64"});
  spec->sealed = {{"secret/a", std::string("\0\1", 2)}, {"ssh/b", "bytes"}};
  rig.Submit("j1", spec);
  rig.Submit("j2", FarmRig::Spec({"linux/amd64"}));
  ASSERT_TRUE(CommitAll(*Open(), rig.farm()).ok());
  {
    const auto store = Open();
    const absl::StatusOr<core::FarmState> state = store->Load();
    ASSERT_TRUE(state.ok()) << state.status();
    ASSERT_EQ(state->jobs[0].spec->sealed.size(), 2U);
    EXPECT_EQ(state->jobs[0].spec->sealed[0].bytes, std::string("\0\1", 2));
    EXPECT_EQ(state->jobs[0].spec->sealed[1].name, "ssh/b");
    EXPECT_TRUE(state->jobs[1].spec->sealed.empty());
    EXPECT_EQ(store->SecretsOf("j1")->size(), 2U);
    // A job that is known is not given them again, and they are no part of what is shown of it.
    ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
    EXPECT_THAT(store->GetJob("j1")->SerializeAsString(), Not(HasSubstr("bytes")));
  }
  rig.Cancel("j1");
  const auto store = Open();
  ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
  EXPECT_TRUE(store->SecretsOf("j1")->empty());
}

TEST_F(StoreTest, FinishedJobsAreFoundButNotLoaded) {
  FarmRig rig;
  rig.Submit("j1abc", FarmRig::Spec({"linux/amd64"}));
  rig.Submit("j1abd", FarmRig::Spec({"linux/amd64"}));
  rig.Cancel("j1abc");
  const auto store = Open();
  ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
  EXPECT_EQ(store->Load()->jobs.size(), 1U);
  EXPECT_EQ(store->Load()->last_generation, 2);
  const auto job = store->GetJob("j1abc");
  ASSERT_TRUE(job.ok()) << job.status();
  EXPECT_EQ(job->state(), v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(job->spec().tags(), ElementsAre("reg/app:v1"));
  EXPECT_EQ(store->GetJob("j1abd")->id(), "j1abd");
  EXPECT_THAT(store->GetJob("j1ab").status().message(), HasSubstr("several jobs begin with"));
  EXPECT_TRUE(absl::IsNotFound(store->GetJob("zzz").status()));
  EXPECT_TRUE(absl::IsNotFound(store->GetJob("").status()));
  EXPECT_EQ((*store->FindSubmission("key-j1abc"))->job_id, "j1abc");
  EXPECT_FALSE(store->FindSubmission("another")->has_value());
}

TEST_F(StoreTest, ListsNewestFirstByStateAndPage) {
  FarmRig rig;
  for (int i = 0; i < 5; ++i) rig.Submit(absl::StrCat("j", i), FarmRig::Spec({"linux/amd64"}));
  rig.Cancel("j3");
  const auto store = Open();
  ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
  const auto ids = [&](const v1::ListJobsRequest& request) {
    std::vector<std::string> found;
    const auto jobs = store->ListJobs(request);
    for (const v1::Job& job : *jobs) found.push_back(job.id());
    return found;
  };
  v1::ListJobsRequest request;
  EXPECT_THAT(ids(request), ElementsAre("j4", "j3", "j2", "j1", "j0"));
  request.set_limit(2);
  request.set_before_generation(4);
  EXPECT_THAT(ids(request), ElementsAre("j2", "j1"));
  request.Clear();
  request.add_states(v1::JOB_STATE_CANCELLED);
  EXPECT_THAT(ids(request), ElementsAre("j3"));
}

TEST_F(StoreTest, AStaleControllerCannotCommit) {
  FarmRig rig;
  rig.Submit("j1", FarmRig::Spec({"linux/amd64"}));
  const auto stale = Open();
  const auto fresh = Open();
  const absl::Status refused = CommitAll(*stale, rig.farm());
  EXPECT_EQ(refused.code(), absl::StatusCode::kAborted);
  EXPECT_THAT(refused.message(), HasSubstr("has taken over this store"));
  EXPECT_TRUE(fresh->Load()->jobs.empty());
  EXPECT_TRUE(CommitAll(*fresh, rig.farm()).ok());
}

TEST_F(StoreTest, ANewerSchemaIsRefusedWithASentence) {
  Open();
  SQLite::Database(path(), SQLite::OPEN_READWRITE).exec("PRAGMA user_version = 1000");
  const auto store = OpenSqliteStore(path());
  EXPECT_EQ(store.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(store.status().message(), HasSubstr("written by a newer manyarch-controller"));
}

TEST_F(StoreTest, AFileThatIsNoDatabaseIsRefusedWithASentence) {
  ASSERT_TRUE(WriteFileAtomic(path(), std::string(5000, 'x')).ok());
  EXPECT_THAT(OpenSqliteStore(path()).status().message(), HasSubstr("opening the store"));
}

TEST_F(StoreTest, ARetryAndTheTimesOfItsAttemptsSurviveARestart) {
  FarmRig rig;
  rig.Join("w", 1, {"linux/amd64", "linux/arm64*"}, 4);
  auto spec = FarmRig::Spec({"linux/amd64", "linux/arm64"});
  spec->keep_going = true;
  rig.Submit("j1", spec);
  rig.Build(1, "j1-amd64-1");
  rig.Accept(1, "j1-arm64-1");
  rig.Fail(1, "j1-arm64-1", core::FailureClass::kUser);
  rig.Retry("j2", rig.job("j1"));
  rig.Accept(1, "j2-arm64-1");
  rig.Pass(absl::Seconds(3), {1});
  rig.Do(core::AttemptProgressed{1, "j2-arm64-1", core::Phase::kBuilding});
  ASSERT_TRUE(CommitAll(*Open(), rig.farm()).ok());

  const absl::StatusOr<core::FarmState> state = Open()->Load();
  ASSERT_TRUE(state.ok()) << state.status();
  ASSERT_EQ(state->jobs.size(), 1U);
  const core::Job& job = state->jobs[0];
  EXPECT_EQ(job.retry_of, "j1");
  EXPECT_TRUE(job.spec->keep_going);
  const auto* reusing = std::get_if<core::BuildReusing>(&job.builds[0].state);
  ASSERT_NE(reusing, nullptr);
  EXPECT_EQ(reusing->image.digest, "sha256:j1-amd64-1");
  EXPECT_EQ(job.builds[0].reused_from, "j1");
  const core::Attempt& attempt = job.builds[1].attempts.at(0);
  EXPECT_EQ(attempt.building_at - attempt.accepted_at, absl::Seconds(3));
  EXPECT_EQ(attempt.pushing_at, absl::InfinitePast());
}

TEST_F(StoreTest, JobsAreFoundByTagProjectAndTime) {
  FarmRig rig;
  const auto submit = [&](const std::string& id, const std::string& tag, const char* project) {
    auto spec = FarmRig::Spec({"linux/amd64"}, tag);
    spec->project = project;
    rig.Submit(id, spec);
    rig.Pass(absl::Minutes(1));
  };
  submit("j1", "v1", "red");
  submit("j2", "v2", "blue");
  submit("j3", "v1", "blue");
  const auto store = Open();
  ASSERT_TRUE(CommitAll(*store, rig.farm()).ok());
  {
    // As a store of the first version has left it.
    SQLite::Database old(path(), SQLite::OPEN_READWRITE);
    old.exec("UPDATE jobs SET submitted_at = NULL, tags = NULL WHERE id = 'j1'");
  }
  const auto found = [&](const std::function<void(v1::ListJobsRequest&)>& ask) {
    v1::ListJobsRequest request;
    ask(request);
    std::vector<std::string> ids;
    const auto jobs = store->ListJobs(request);
    EXPECT_TRUE(jobs.ok()) << jobs.status();
    if (jobs.ok()) {
      for (const v1::Job& job : *jobs) ids.push_back(job.id());
    }
    return ids;
  };
  EXPECT_THAT(found([](auto& r) { r.set_tag("app:v1"); }), ElementsAre("j3", "j1"));
  EXPECT_THAT(found([](auto& r) { r.set_project("blue"); }), ElementsAre("j3", "j2"));
  EXPECT_THAT(found([](auto& r) {
                r.set_tag("v1");
                r.set_project("red");
              }),
              ElementsAre("j1"));
  EXPECT_THAT(found([](auto& r) {
                r.set_tag("v1");
                r.set_limit(1);
              }),
              ElementsAre("j3"));
  const int64_t first = absl::ToUnixSeconds(rig.job("j1").submitted_at);
  EXPECT_THAT(found([&](auto& r) { r.mutable_submitted_after()->set_seconds(first); }),
              ElementsAre("j3", "j2"));
  EXPECT_THAT(found([&](auto& r) { r.mutable_submitted_after()->set_seconds(first - 1); }),
              ElementsAre("j3", "j2", "j1"));
}

}  // namespace
}  // namespace manyarch::controller
