// Propagation of absl::Status, with context put in front on the way up.
#pragma once

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// The same code with "<context>: " in front of the message. An OK status stays OK.
inline absl::Status Annotate(const absl::Status& status, absl::string_view context) {
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat(context, ": ", status.message()));
}

}  // namespace manyarch

#define MA_CONCAT_INNER(a, b) a##b
#define MA_CONCAT(a, b) MA_CONCAT_INNER(a, b)

// Returns from the enclosing function when `expr` (an absl::Status) is not OK.
#define MA_RETURN_IF_ERROR(expr)                                               \
  do {                                                                         \
    if (absl::Status ma_status_ = (expr); !ma_status_.ok()) return ma_status_; \
  } while (false)

// MA_ASSIGN_OR_RETURN(auto x, F()): unwraps a StatusOr or returns its status.
#define MA_ASSIGN_OR_RETURN(lhs, expr) MA_ASSIGN_OR_RETURN_(MA_CONCAT(ma_or_, __LINE__), lhs, expr)
#define MA_ASSIGN_OR_RETURN_(tmp, lhs, expr)     \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
