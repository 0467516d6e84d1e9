#include "controller/store/estimate_rows.h"

#include <string>

#include "controller/wire/convert.h"

namespace manyarch::controller {

namespace {

void BindKind(SQLite::Statement& statement, const core::BuildKind& kind) {
  statement.bind(1, kind.repository);
  statement.bind(2, kind.target);
  statement.bind(3, ToString(kind.platform));
}

}  // namespace

absl::Status LoadEstimates(SQLite::Database& db, core::FarmState& state) {
  SQLite::Statement rows(db, "SELECT body FROM estimates");
  while (rows.executeStep()) {
    const SQLite::Column body = rows.getColumn(0);
    v1::StoredEstimate stored;
    if (!stored.ParseFromArray(body.getBlob(), body.getBytes())) {
      return absl::DataLossError("an estimate in the store cannot be read");
    }
    state.estimates.push_back(wire::FromStored(stored));
  }
  return absl::OkStatus();
}

void WriteEstimates(SQLite::Database& db, const Batch& batch) {
  if (batch.estimates.empty()) return;
  SQLite::Statement upsert(
      db,
      "INSERT INTO estimates (repository, target, platform, body) VALUES (?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET body = excluded.body");
  SQLite::Statement forget(
      db, "DELETE FROM estimates WHERE repository = ? AND target = ? AND platform = ?");
  for (const auto& [kind, history] : batch.estimates) {
    SQLite::Statement& statement = history == nullptr ? forget : upsert;
    (void)statement.tryReset();
    BindKind(statement, kind);
    if (history != nullptr) {
      const std::string body = wire::ToStored(kind, *history).SerializeAsString();
      statement.bind(4, body.data(), static_cast<int>(body.size()));
    }
    statement.exec();
  }
}

}  // namespace manyarch::controller
