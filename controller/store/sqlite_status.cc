#include "controller/store/sqlite_status.h"

#include <sqlite3.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace manyarch::controller {

absl::Status ToStatus(const SQLite::Exception& error, absl::string_view doing) {
  const std::string text = absl::StrCat(doing, ": SQLite says: ", error.what());
  switch (error.getErrorCode()) {
    case SQLITE_FULL:
      return absl::ResourceExhaustedError(absl::StrCat(
          text, ". The controller's disk is full: free some space in its --state-dir"));
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return absl::UnavailableError(
          absl::StrCat(text, ". Another process is writing the same store"));
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::DataLossError(text);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
      return absl::UnavailableError(absl::StrCat(
          text, ". Check the disk and the permissions of the controller's --state-dir"));
    default:
      return absl::InternalError(text);
  }
}

}  // namespace manyarch::controller
