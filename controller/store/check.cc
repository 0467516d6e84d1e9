#include "controller/store/check.h"

#include <map>

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/strings/str_cat.h"
#include "common/base/digest.h"
#include "controller/store/schema.h"
#include "controller/wire/convert.h"

namespace manyarch::controller {

namespace {

// What the rows of one job must agree on.
void CheckJob(const v1::StoredJob& stored, const v1::JobSpec& spec, int state, StoreCheck& check) {
  const v1::Job& job = stored.job();
  const absl::StatusOr<core::Job> parsed = wire::FromStored(stored, spec);
  if (!parsed.ok()) {
    check.faults.push_back(absl::StrCat("job ", job.id(), ": ", parsed.status().message()));
    return;
  }
  if (job.state() != state) {
    check.faults.push_back(absl::StrCat("job ", job.id(), ": its row says state ", state,
                                        ", its body ", static_cast<int>(job.state())));
  }
  if (job.has_intent() && Digest::Of(job.intent().list()).ToString() != job.intent().digest()) {
    check.faults.push_back(
        absl::StrCat("job ", job.id(), ": the list that it publishes does not have its digest"));
  }
  for (const core::Build& build : parsed->builds) {
    const auto* succeeded = std::get_if<core::BuildSucceeded>(&build.state);
    if (succeeded == nullptr) continue;
    int winners = 0;
    for (const core::Attempt& attempt : build.attempts) {
      if (std::holds_alternative<core::AttemptSucceeded>(attempt.state)) ++winners;
    }
    // An image of an earlier job was made by none of this one's.
    if (winners != (build.reused_from.empty() ? 1 : 0)) {
      check.faults.push_back(absl::StrCat("job ", job.id(), ": ", ToString(build.platform), " has ",
                                          winners, " winning attempts"));
    }
  }
  if (!core::IsTerminal(parsed->state)) {
    check.live_roots.emplace_back(parsed->id, parsed->spec->context_root);
  }
}

StoreCheck Check(SQLite::Database& db) {
  StoreCheck check;
  SQLite::Statement integrity(db, "PRAGMA integrity_check");
  while (integrity.executeStep()) {
    const std::string line = integrity.getColumn(0).getString();
    if (line != "ok") check.faults.push_back(absl::StrCat("the database file: ", line));
  }
  std::map<std::string, int64_t> generations;
  SQLite::Statement jobs(db, "SELECT id, generation, state, spec, body FROM jobs");
  while (jobs.executeStep()) {
    ++check.jobs;
    const std::string id = jobs.getColumn(0).getString();
    generations[id] = jobs.getColumn(1).getInt64();
    v1::JobSpec spec;
    v1::StoredJob stored;
    if (!spec.ParseFromString(jobs.getColumn(3).getString()) ||
        !stored.ParseFromString(jobs.getColumn(4).getString()) || stored.job().id() != id) {
      check.faults.push_back(absl::StrCat("job ", id, ": its row cannot be read"));
      continue;
    }
    CheckJob(stored, spec, jobs.getColumn(2).getInt(), check);
  }
  SQLite::Statement workers(db, "SELECT id, body FROM workers");
  while (workers.executeStep()) {
    ++check.workers;
    v1::StoredWorker stored;
    if (!stored.ParseFromString(workers.getColumn(1).getString())) {
      check.faults.push_back(
          absl::StrCat("worker ", workers.getColumn(0).getString(), ": its row cannot be read"));
    }
  }
  SQLite::Statement tags(db, "SELECT reference, generation, job_id FROM tags");
  while (tags.executeStep()) {
    ++check.tags;
    const auto owner = generations.find(tags.getColumn(2).getString());
    if (owner == generations.end() || owner->second != tags.getColumn(1).getInt64()) {
      check.faults.push_back(absl::StrCat("tag ", tags.getColumn(0).getString(),
                                          ": its owner is no job of that generation"));
    }
  }
  return check;
}

}  // namespace

absl::StatusOr<StoreCheck> CheckSqliteStore(const std::string& path) {
  try {
    SQLite::Database db(path, SQLite::OPEN_READONLY, 5000);
    const int version = db.execAndGet("PRAGMA user_version").getInt();
    if (version != SchemaVersion()) {
      return absl::FailedPreconditionError(
          absl::StrCat("the store ", path, " has schema version ", version, ", this program knows ",
                       SchemaVersion(), "; check it with the program that has written it"));
    }
    return Check(db);
  } catch (const SQLite::Exception& error) {
    return absl::DataLossError(
        absl::StrCat("reading the store ", path, ": SQLite says: ", error.what()));
  }
}

}  // namespace manyarch::controller
