// The store's schema and its versions.
#pragma once

#include "SQLiteCpp/SQLiteCpp.h"
#include "absl/status/status.h"

namespace manyarch::controller {

// This program's.
int SchemaVersion();

// Brings the database to this program's schema, one version at a time, each in a transaction.
// FAILED_PRECONDITION: a newer program has written it.
absl::Status MigrateSchema(SQLite::Database& db);

}  // namespace manyarch::controller
