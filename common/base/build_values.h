// What values of build options may be: the client, the controller and the worker refuse the same
// ones with the same sentences. Each function is given the value as the user wrote it;
// INVALID_ARGUMENT names it. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace manyarch {

// Of one secret, ssh key or auth file, and of all that go with one job: they travel in one message.
inline constexpr size_t kLargestSecret = size_t{512} << 10;
inline constexpr size_t kLargestSecrets = size_t{3} << 20;

// The id of a secret or of an ssh key: letters, digits, '.', '_' and '-', at most 128. `kind` is
// "secret" or "ssh key".
absl::Status CheckSecretId(absl::string_view kind, absl::string_view id);

// "name:address", with an IPv4 or IPv6 address.
absl::Status CheckAddedHost(absl::string_view entry);

// "", "default", "host" or "none".
absl::Status CheckNetwork(absl::string_view network);

// The name of a build argument, label or annotation; `kind` is one of these words.
absl::Status CheckName(absl::string_view kind, absl::string_view name);

// NUL bytes, which would silently end an argument of a program; `what` names the option.
absl::Status CheckText(absl::string_view what, absl::string_view text);

// Bytes, with a unit of 1024s or without: "512m", "1.5G", "64MiB", "4gb", "1073741824". In the
// range of CheckMemory.
absl::StatusOr<int64_t> ParseMemory(absl::string_view text);

// Limits that a build can have.
absl::Status CheckMemory(int64_t bytes);
absl::Status CheckCpus(int64_t thousandths);
// Among the jobs of a project: -100 to 100.
absl::Status CheckPriority(int64_t priority);
// Seconds since 1970, up to the year 9999.
absl::Status CheckTimestamp(int64_t seconds);

}  // namespace manyarch
