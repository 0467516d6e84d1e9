#include "controller/store/schema.h"

#include <array>

#include "absl/strings/str_cat.h"

namespace manyarch::controller {

namespace {

// Entry n brings version n to version n + 1. Entries are never changed once released, only added.
constexpr std::array<const char*, 4> kMigrations = {
    R"sql(
      CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
      INSERT INTO meta VALUES ('epoch', 0);
      CREATE TABLE jobs (
        generation INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        idempotency_key TEXT NOT NULL UNIQUE,
        request_hash TEXT NOT NULL,
        project TEXT NOT NULL,
        state INTEGER NOT NULL,
        spec BLOB NOT NULL,
        body BLOB NOT NULL
      );
      CREATE INDEX jobs_live ON jobs (generation) WHERE state <= 3;
      CREATE TABLE workers (id TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
      CREATE TABLE tags (
        reference TEXT PRIMARY KEY,
        generation INTEGER NOT NULL,
        job_id TEXT NOT NULL
      ) WITHOUT ROWID;
    )sql",
    // NULL in jobs that were there before: for those a query looks into the body.
    R"sql(
      ALTER TABLE jobs ADD COLUMN submitted_at INTEGER;
      ALTER TABLE jobs ADD COLUMN tags TEXT;
    )sql",
    // Of jobs that are not terminal.
    R"sql(
      CREATE TABLE secrets (
        job_id TEXT NOT NULL,
        name TEXT NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (job_id, name)
      );
    )sql",
    R"sql(
      CREATE TABLE estimates (
        repository TEXT NOT NULL,
        target TEXT NOT NULL,
        platform TEXT NOT NULL,
        body BLOB NOT NULL,
        PRIMARY KEY (repository, target, platform)
      ) WITHOUT ROWID;
    )sql",
};

}  // namespace

int SchemaVersion() { return static_cast<int>(kMigrations.size()); }

absl::Status MigrateSchema(SQLite::Database& db) {
  const int found = db.execAndGet("PRAGMA user_version").getInt();
  const int wanted = SchemaVersion();
  if (found > wanted) {
    return absl::FailedPreconditionError(
        absl::StrCat("the store has schema version ", found,
                     ", written by a newer manyarch-controller; this one knows ", wanted,
                     " at most. Run the newer program, or give another --state-dir"));
  }
  for (int version = found; version < wanted; ++version) {
    SQLite::Transaction transaction(db, SQLite::TransactionBehavior::IMMEDIATE);
    db.exec(kMigrations[static_cast<size_t>(version)]);
    db.exec(absl::StrCat("PRAGMA user_version = ", version + 1));
    transaction.commit();
  }
  return absl::OkStatus();
}

}  // namespace manyarch::controller
