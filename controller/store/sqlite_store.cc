// The store on SQLite through SQLiteCpp: one connection that writes, one that reads.
#include <algorithm>
#include <map>
#include <variant>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "common/base/status_macros.h"
#include "common/os/failpoint.h"
#include "controller/store/estimate_rows.h"
#include "controller/store/schema.h"
#include "controller/store/sqlite_status.h"
#include "controller/store/store.h"
#include "controller/wire/convert.h"
#include "controller/wire/times.h"

namespace manyarch::controller {

namespace {

constexpr int kMostListed = 1000;
constexpr int kListedByDefault = 50;

// Whether a job of the batch is in this state.
template <typename State>
bool Has(const Batch& batch) {
  return std::any_of(batch.jobs.begin(), batch.jobs.end(), [](const JobRow& row) {
    return std::holds_alternative<State>(row.job->state);
  });
}

// Statements are reset with tryReset: reset would throw the error of the last use once more.
// SQLiteCpp throws; nothing beyond this file shall see it.
template <typename F>
auto Guarded(absl::string_view doing, F&& body) -> decltype(body()) {
  try {
    return body();
  } catch (const SQLite::Exception& error) {
    return ToStatus(error, doing);
  }
}

void BindBlob(SQLite::Statement& statement, int index, const std::string& bytes) {
  statement.bind(index, bytes.data(), static_cast<int>(bytes.size()));
}

std::string BlobOf(const SQLite::Column& column) {
  return std::string(static_cast<const char*>(column.getBlob()),
                     static_cast<size_t>(column.getBytes()));
}

constexpr char kJobColumns[] = "SELECT spec, body FROM jobs ";

absl::StatusOr<std::pair<v1::JobSpec, v1::StoredJob>> RowOf(SQLite::Statement& row) {
  std::pair<v1::JobSpec, v1::StoredJob> parsed;
  if (!parsed.first.ParseFromString(BlobOf(row.getColumn(0))) ||
      !parsed.second.ParseFromString(BlobOf(row.getColumn(1)))) {
    return absl::DataLossError("a job in the store cannot be read");
  }
  return parsed;
}

absl::StatusOr<v1::Job> JobOf(SQLite::Statement& row) {
  MA_ASSIGN_OR_RETURN(auto parsed, RowOf(row));
  v1::Job job = std::move(*parsed.second.mutable_job());
  *job.mutable_spec() = std::move(parsed.first);
  return job;
}

// What the columns cannot tell of jobs from before there were some.
bool IsWanted(const v1::ListJobsRequest& request, const v1::Job& job) {
  const auto has_tag = [&](const std::string& tag) {
    return absl::StrContains(tag, request.tag());
  };
  if (!request.tag().empty() &&
      std::none_of(job.spec().tags().begin(), job.spec().tags().end(), has_tag)) {
    return false;
  }
  return !request.has_submitted_after() ||
         wire::FromProto(job.submitted_at()) > wire::FromProto(request.submitted_after());
}

// The sealed secrets of each job that has any.
std::map<std::string, std::vector<core::SealedSecret>> ReadSecrets(SQLite::Database& db) {
  std::map<std::string, std::vector<core::SealedSecret>> secrets;
  SQLite::Statement query(db, "SELECT job_id, name, sealed FROM secrets ORDER BY job_id, name");
  while (query.executeStep()) {
    secrets[query.getColumn(0).getString()].push_back(
        {query.getColumn(1).getString(), BlobOf(query.getColumn(2))});
  }
  return secrets;
}

class SqliteStore : public Store {
 public:
  explicit SqliteStore(const std::string& path)
      : writer_(path, SQLite::OPEN_READWRITE | SQLite::OPEN_CREATE, 5000) {}

  absl::Status Open(const std::string& path) {
    absl::MutexLock writing(&write_mutex_);
    absl::MutexLock reading(&read_mutex_);
    writer_.exec("PRAGMA journal_mode = WAL");
    writer_.exec("PRAGMA synchronous = FULL");
    MA_RETURN_IF_ERROR(MigrateSchema(writer_));
    writer_.exec("UPDATE meta SET value = value + 1 WHERE name = 'epoch'");
    epoch_ = writer_.execAndGet("SELECT value FROM meta WHERE name = 'epoch'").getInt64();
    reader_ = std::make_unique<SQLite::Database>(path, SQLite::OPEN_READONLY, 5000);
    find_submission_ = std::make_unique<SQLite::Statement>(
        *reader_, "SELECT id, request_hash FROM jobs WHERE idempotency_key = ?");
    insert_job_ =
        std::make_unique<SQLite::Statement>(writer_,
                                            "INSERT INTO jobs (generation, id, idempotency_key, "
                                            "request_hash, project, state, spec, body, "
                                            "submitted_at, tags) "
                                            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    update_job_ = std::make_unique<SQLite::Statement>(
        writer_, "UPDATE jobs SET state = ?, body = ? WHERE generation = ?");
    upsert_worker_ =
        std::make_unique<SQLite::Statement>(writer_,
                                            "INSERT INTO workers (id, body) VALUES (?, ?) "
                                            "ON CONFLICT (id) DO UPDATE SET body = excluded.body");
    upsert_tag_ = std::make_unique<SQLite::Statement>(
        writer_,
        "INSERT INTO tags (reference, generation, job_id) VALUES (?, ?, ?) ON CONFLICT "
        "(reference) DO UPDATE SET generation = excluded.generation, job_id = excluded.job_id");
    insert_secret_ = std::make_unique<SQLite::Statement>(
        writer_, "INSERT INTO secrets (job_id, name, sealed) VALUES (?, ?, ?)");
    delete_secrets_ =
        std::make_unique<SQLite::Statement>(writer_, "DELETE FROM secrets WHERE job_id = ?");
    epoch_query_ =
        std::make_unique<SQLite::Statement>(writer_, "SELECT value FROM meta WHERE name = 'epoch'");
    return absl::OkStatus();
  }

  absl::StatusOr<core::FarmState> Load() override {
    absl::MutexLock lock(&write_mutex_);
    return Guarded("loading the store", [&]() -> absl::StatusOr<core::FarmState> {
      write_mutex_.AssertHeld();
      core::FarmState state;
      auto secrets = ReadSecrets(writer_);
      SQLite::Statement jobs(writer_,
                             absl::StrCat(kJobColumns, "WHERE state <= 3 ORDER BY generation"));
      while (jobs.executeStep()) {
        MA_ASSIGN_OR_RETURN(auto parsed, RowOf(jobs));
        MA_ASSIGN_OR_RETURN(core::Job job, wire::FromStored(parsed.second, parsed.first));
        if (const auto sealed = secrets.find(job.id); sealed != secrets.end()) {
          auto spec = std::make_shared<core::JobSpec>(*job.spec);
          spec->sealed = std::move(sealed->second);
          job.spec = std::move(spec);
        }
        state.jobs.push_back(std::move(job));
      }
      SQLite::Statement workers(writer_, "SELECT body FROM workers");
      while (workers.executeStep()) {
        v1::StoredWorker stored;
        if (!stored.ParseFromString(BlobOf(workers.getColumn(0)))) {
          return absl::DataLossError("a worker in the store cannot be read");
        }
        state.workers.push_back(wire::FromStored(stored));
      }
      SQLite::Statement tags(writer_, "SELECT reference, generation, job_id FROM tags");
      while (tags.executeStep()) {
        state.tags[tags.getColumn(0).getString()] = {tags.getColumn(1).getInt64(),
                                                     tags.getColumn(2).getString()};
      }
      MA_RETURN_IF_ERROR(LoadEstimates(writer_, state));
      state.last_generation =
          writer_.execAndGet("SELECT COALESCE(MAX(generation), 0) FROM jobs").getInt64();
      return state;
    });
  }

  absl::Status Commit(const Batch& batch) override {
    absl::MutexLock lock(&write_mutex_);
    return Guarded("writing the store", [&]() -> absl::Status {
      write_mutex_.AssertHeld();
      SQLite::Transaction transaction(writer_, SQLite::TransactionBehavior::IMMEDIATE);
      (void)epoch_query_->tryReset();
      epoch_query_->executeStep();
      const int64_t epoch = epoch_query_->getColumn(0).getInt64();
      (void)epoch_query_->tryReset();
      if (epoch != epoch_) {
        return absl::AbortedError(
            absl::StrCat("another manyarch-controller has taken over this store (its epoch is ",
                         epoch, ", ours was ", epoch_, "): this one must stop"));
      }
      for (const JobRow& row : batch.jobs) WriteJob(*row.job, *row.stored);
      for (const core::Worker* worker : batch.workers) {
        (void)upsert_worker_->tryReset();
        upsert_worker_->bind(1, worker->description.id);
        BindBlob(*upsert_worker_, 2, wire::ToStored(*worker).SerializeAsString());
        upsert_worker_->exec();
      }
      for (const auto& [reference, owner] : batch.tags) {
        (void)upsert_tag_->tryReset();
        upsert_tag_->bind(1, reference);
        upsert_tag_->bind(2, owner.generation);
        upsert_tag_->bind(3, owner.job_id);
        upsert_tag_->exec();
      }
      WriteEstimates(writer_, batch);
      MANYARCH_FAILPOINT("commit/before");
      if (Has<core::JobPublishing>(batch)) MANYARCH_FAILPOINT("commit/before-intent");
      if (Has<core::JobSucceeded>(batch)) MANYARCH_FAILPOINT("commit/before-success");
      transaction.commit();
      MANYARCH_FAILPOINT("commit/after");
      if (Has<core::JobPublishing>(batch)) MANYARCH_FAILPOINT("commit/after-intent");
      if (Has<core::JobSucceeded>(batch)) MANYARCH_FAILPOINT("commit/after-success");
      return absl::OkStatus();
    });
  }

  absl::StatusOr<v1::Job> GetJob(absl::string_view id_or_prefix) override {
    absl::MutexLock lock(&read_mutex_);
    return Guarded("looking a job up", [&]() -> absl::StatusOr<v1::Job> {
      read_mutex_.AssertHeld();
      // Ids are of [0-9a-z]: '{' follows them all.
      SQLite::Statement query(
          *reader_, absl::StrCat(kJobColumns, "WHERE id >= ? AND id < ? ORDER BY id LIMIT 2"));
      query.bind(1, std::string(id_or_prefix));
      query.bind(2, absl::StrCat(id_or_prefix, "{"));
      if (id_or_prefix.empty() || !query.executeStep()) {
        return absl::NotFoundError(
            absl::StrCat("there is no job '", id_or_prefix, "'; `manyarch jobs` lists them"));
      }
      MA_ASSIGN_OR_RETURN(v1::Job job, JobOf(query));
      if (job.id() != id_or_prefix && query.executeStep()) {
        return absl::InvalidArgumentError(
            absl::StrCat("several jobs begin with '", id_or_prefix,
                         "'; give more characters of the one you mean"));
      }
      return job;
    });
  }

  absl::StatusOr<std::vector<v1::Job>> ListJobs(const v1::ListJobsRequest& request) override {
    absl::MutexLock lock(&read_mutex_);
    return Guarded("listing jobs", [&]() -> absl::StatusOr<std::vector<v1::Job>> {
      read_mutex_.AssertHeld();
      std::string sql = absl::StrCat(kJobColumns, "WHERE generation < ?");
      if (request.states_size() > 0) {
        absl::StrAppend(&sql, " AND state IN (-1");
        for (const int state : request.states()) absl::StrAppend(&sql, ",", state);
        absl::StrAppend(&sql, ")");
      }
      if (!request.project().empty()) absl::StrAppend(&sql, " AND project = :project");
      if (!request.tag().empty()) {
        absl::StrAppend(&sql, " AND (tags IS NULL OR instr(tags, :tag) > 0)");
      }
      if (request.has_submitted_after()) {
        absl::StrAppend(&sql, " AND (submitted_at IS NULL OR submitted_at > :after)");
      }
      absl::StrAppend(&sql, " ORDER BY generation DESC");
      SQLite::Statement query(*reader_, sql);
      query.bind(1, request.before_generation() > 0 ? request.before_generation() : INT64_MAX);
      if (!request.project().empty()) query.bind(":project", request.project());
      if (!request.tag().empty()) query.bind(":tag", request.tag());
      if (request.has_submitted_after()) {
        query.bind(":after", absl::ToUnixMicros(wire::FromProto(request.submitted_after())));
      }
      const auto limit = static_cast<size_t>(
          request.limit() > 0 ? std::min(request.limit(), kMostListed) : kListedByDefault);
      std::vector<v1::Job> jobs;
      while (jobs.size() < limit && query.executeStep()) {
        MA_ASSIGN_OR_RETURN(v1::Job job, JobOf(query));
        if (IsWanted(request, job)) jobs.push_back(std::move(job));
      }
      return jobs;
    });
  }

  absl::StatusOr<std::optional<KnownSubmission>> FindSubmission(absl::string_view key) override {
    absl::MutexLock lock(&read_mutex_);
    return Guarded("looking a submission up",
                   [&]() -> absl::StatusOr<std::optional<KnownSubmission>> {
                     read_mutex_.AssertHeld();
                     std::optional<KnownSubmission> known;
                     SQLite::Statement& query = *find_submission_;
                     (void)query.tryReset();
                     query.bind(1, std::string(key));
                     if (query.executeStep()) {
                       known = {query.getColumn(0).getString(), query.getColumn(1).getString()};
                     }
                     (void)query.tryReset();  // It would hold the log of writes back.
                     return known;
                   });
  }

  absl::StatusOr<std::vector<core::SealedSecret>> SecretsOf(const std::string& job_id) override {
    absl::MutexLock lock(&read_mutex_);
    return Guarded(
        "reading the secrets of a job", [&]() -> absl::StatusOr<std::vector<core::SealedSecret>> {
          read_mutex_.AssertHeld();
          std::vector<core::SealedSecret> secrets;
          SQLite::Statement query(
              *reader_, "SELECT name, sealed FROM secrets WHERE job_id = ? ORDER BY name");
          query.bind(1, job_id);
          while (query.executeStep()) {
            secrets.push_back({query.getColumn(0).getString(), BlobOf(query.getColumn(1))});
          }
          return secrets;
        });
  }

 private:
  void WriteJob(const core::Job& job, const v1::StoredJob& stored)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    const std::string body = stored.SerializeAsString();
    (void)update_job_->tryReset();
    update_job_->bind(1, static_cast<int>(stored.job().state()));
    BindBlob(*update_job_, 2, body);
    update_job_->bind(3, job.generation);
    const bool known = update_job_->exec() > 0;
    if (!job.spec->sealed.empty()) WriteSecrets(job, known);
    if (known) return;
    (void)insert_job_->tryReset();
    insert_job_->bind(1, job.generation);
    insert_job_->bind(2, job.id);
    insert_job_->bind(3, job.idempotency_key);
    insert_job_->bind(4, job.request_hash);
    insert_job_->bind(5, job.spec->project);
    insert_job_->bind(6, static_cast<int>(stored.job().state()));
    BindBlob(*insert_job_, 7, wire::ToProto(*job.spec).SerializeAsString());
    BindBlob(*insert_job_, 8, body);
    insert_job_->bind(9, absl::ToUnixMicros(job.submitted_at));
    std::string tags;
    for (const core::TagRef& tag : job.spec->tags) absl::StrAppend(&tags, tag.ToString(), "\n");
    insert_job_->bind(10, tags);
    insert_job_->exec();
  }

  void WriteSecrets(const core::Job& job, bool known) ABSL_EXCLUSIVE_LOCKS_REQUIRED(write_mutex_) {
    if (core::IsTerminal(job.state)) {
      (void)delete_secrets_->tryReset();
      delete_secrets_->bind(1, job.id);
      delete_secrets_->exec();
    } else if (!known) {
      for (const core::SealedSecret& secret : job.spec->sealed) {
        (void)insert_secret_->tryReset();
        insert_secret_->bind(1, job.id);
        insert_secret_->bind(2, secret.name);
        BindBlob(*insert_secret_, 3, secret.bytes);
        insert_secret_->exec();
      }
    }
  }

  absl::Mutex write_mutex_;
  SQLite::Database writer_ ABSL_GUARDED_BY(write_mutex_);
  int64_t epoch_ ABSL_GUARDED_BY(write_mutex_) = 0;
  std::unique_ptr<SQLite::Statement> insert_job_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> update_job_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> upsert_worker_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> upsert_tag_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> insert_secret_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> delete_secrets_ ABSL_GUARDED_BY(write_mutex_);
  std::unique_ptr<SQLite::Statement> epoch_query_ ABSL_GUARDED_BY(write_mutex_);

  absl::Mutex read_mutex_;
  std::unique_ptr<SQLite::Database> reader_ ABSL_GUARDED_BY(read_mutex_);
  std::unique_ptr<SQLite::Statement> find_submission_ ABSL_GUARDED_BY(read_mutex_);
};

}  // namespace

absl::StatusOr<std::unique_ptr<Store>> OpenSqliteStore(const std::string& path) {
  const std::string doing = absl::StrCat("opening the store ", path);
  return Guarded(doing, [&]() -> absl::StatusOr<std::unique_ptr<Store>> {
    auto store = std::make_unique<SqliteStore>(path);
    MA_RETURN_IF_ERROR(Annotate(store->Open(path), doing));
    return store;
  });
}

}  // namespace manyarch::controller
